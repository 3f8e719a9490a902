{{/* Files that are no secret: who may call, whose tokens are taken, which carriers there are. */}}

{{/* Callers that both services know: a component by the URI of its certificate, or by the SHA-256 of its token. */}}
{{- define "tukupay-sms.workload" -}}
[[identity]]
name = {{ .name | toJson }}
kind = "workload"
{{- if eq .root.Values.tls.mode "mutual" }}
uri = {{ include "tukupay-sms.spiffeId" . | toJson }}
{{- else }}
{{- if not .values.token.sha256 }}
{{- fail (printf "%s.token.sha256: is needed where tls.mode is not mutual; `tukupay-sms tokens create %s` prints it" .name .name) }}
{{- end }}
token_sha256 = {{ .values.token.sha256 | toJson }}
{{- end }}
scopes = {{ .scopes | toJson }}
accounts = "all"
{{ end -}}

{{- define "tukupay-sms.identities" -}}
{{- include "tukupay-sms.workload" (dict "root" . "name" "gateway" "values" .Values.gateway "scopes" (list "assert:principal" "keys:resolve" "callbacks:write")) }}
{{ include "tukupay-sms.workload" (dict "root" . "name" "messaging" "values" .Values.messaging "scopes" (list "prices:read")) }}
{{- range .Values.access.identities }}

[[identity]]
{{- include "tukupay-sms.toml.table" . }}
{{- end }}
{{ end -}}

{{- define "tukupay-sms.issuers" -}}
{{- range .Values.access.issuers }}
[[issuers]]
{{- include "tukupay-sms.toml.table" . }}
{{ end -}}
{{- end -}}

{{- define "tukupay-sms.carriers" -}}
{{- with .Values.messaging.carriers -}}
{{- range .carriers }}
[[carriers]]
{{- include "tukupay-sms.toml.table" . }}
{{ end -}}
{{- with .networks }}
[networks]
{{- include "tukupay-sms.toml.table" . }}
{{ end -}}
{{- range .routes }}
[[routes]]
{{- include "tukupay-sms.toml.table" . }}
{{ end -}}
{{- with .breaker }}
[breaker]
{{- include "tukupay-sms.toml.table" . }}
{{ end -}}
{{- end -}}
{{- end -}}
