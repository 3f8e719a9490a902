{{/* TOML of what values hold, keys in order, so that the same values give the same bytes. */}}

{{- define "tukupay-sms.toml.value" -}}
{{- if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }},{{ end }} {{ $key | toJson }} = {{ include "tukupay-sms.toml.value" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{- range $index, $item := . }}{{ if $index }}, {{ end }}{{ include "tukupay-sms.toml.value" $item }}{{ end }}]
{{- else -}}
{{- . | toJson -}}
{{- end -}}
{{- end -}}

{{/* A table: a line a key. */}}
{{- define "tukupay-sms.toml.table" -}}
{{- range $key := keys . | sortAlpha }}
{{ $key | toJson }} = {{ include "tukupay-sms.toml.value" (get $ $key) }}
{{- end }}
{{- end -}}
