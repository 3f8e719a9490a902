{{/* Every Secret that a component reads, as a list of {secret, key, path}: its volumes, ExternalSecrets and NOTES come from it.
     `path` is the file in /etc/tukupay-sms/secrets. */}}
{{- define "tukupay-sms.secretFiles" -}}
{{- $prefix := upper .name -}}
{{- if ne .name "gateway" }}
- secret: {{ include "tukupay-sms.databaseSecret" . }}
  key: {{ .values.database.urlKey }}
  path: {{ $prefix }}_DATABASE_URL
{{- if and (eq .name "messaging") .values.database.directUrlKey }}
- secret: {{ include "tukupay-sms.databaseSecret" . }}
  key: {{ .values.database.directUrlKey }}
  path: MESSAGING_DATABASE_DIRECT_URL
{{- end }}
{{- end }}
{{- if and (ne .name "pricing") (ne .root.Values.tls.mode "mutual") }}
- secret: {{ include "tukupay-sms.tokenSecret" . }}
  key: token
  path: {{ $prefix }}_SERVICE_TOKEN
{{- end }}
{{- if and (eq .name "messaging") (not .values.carriers) }}
- secret: {{ include "tukupay-sms.smppSecret" . }}
  key: password
  path: SMPP_PASSWORD
{{- end }}
{{- range $name := keys .values.secretSettings | sortAlpha }}
{{- $from := get $.values.secretSettings $name }}
- secret: {{ $from.secret }}
  key: {{ $from.key }}
  path: {{ $name }}
{{- end }}
{{- if eq .name "messaging" }}
{{- range .values.carrierSecrets }}
- secret: {{ .secret }}
  key: {{ .key }}
  path: {{ .file }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The URLs of a migration: that of the service, whose guards it sets, and that of the owner of the tables. */}}
{{- define "tukupay-sms.migrationSecretFiles" -}}
- secret: {{ include "tukupay-sms.databaseSecret" . }}
  key: {{ .values.database.urlKey }}
  path: {{ upper .name }}_DATABASE_URL
- secret: {{ include "tukupay-sms.ownerSecret" . }}
  key: {{ .values.database.urlKey }}
  path: {{ upper .name }}_DATABASE_DIRECT_URL
{{- end -}}

{{/* The volume of such files. Gets volume, its name, and files. */}}
{{- define "tukupay-sms.secretsVolume" -}}
- name: {{ .volume }}
  projected:
    defaultMode: 0440
    sources:
      {{- range .files }}
      - secret:
          name: {{ .secret }}
          items:
            - key: {{ .key }}
              path: {{ .path }}
      {{- end }}
{{- end -}}
