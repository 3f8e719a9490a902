{{/* The environment of each container: lists of name and value, in an order that stays. */}}

{{- define "tukupay-sms.value" -}}
{{- if kindIs "string" . }}{{ . | quote }}{{ else }}{{ . | toJson | quote }}{{ end }}
{{- end -}}

{{/* One variable. Gets a list: name, value. */}}
{{- define "tukupay-sms.env" }}
- name: {{ index . 0 }}
  value: {{ include "tukupay-sms.value" (index . 1) }}
{{- end -}}

{{- define "tukupay-sms.address" -}}
{{- printf "%s:%d" .root.Values.ports.host (int (get .root.Values.ports .port)) -}}
{{- end -}}

{{- define "tukupay-sms.isPooled" -}}
{{- if and .root.Values.pgbouncer.enabled .root.Values.cnpg.enabled .root.Values.cnpg.pooler.enabled -}}
{{- fail "pgbouncer.enabled and cnpg.pooler.enabled: one pooler is enough" -}}
{{- end -}}
{{- if or .root.Values.pgbouncer.enabled (and .root.Values.cnpg.enabled .root.Values.cnpg.pooler.enabled) }}true{{ end -}}
{{- end -}}

{{/* The hosts of the database of a component, with commas between; of the server itself, whoever stands before it. */}}
{{- define "tukupay-sms.databaseHosts" -}}
{{- if .root.Values.cnpg.enabled -}}
{{- printf "%s-rw" (include "tukupay-sms.cnpgName" .root) -}}
{{- else -}}
{{- join "," (default .root.Values.database.hosts .values.database.hosts) -}}
{{- end -}}
{{- end -}}

{{- define "tukupay-sms.poolerHost" -}}
{{- if .root.Values.pgbouncer.enabled -}}
{{- printf "%s-pgbouncer" (include "tukupay-sms.fullname" .root) -}}
{{- else -}}
{{- printf "%s-pooler" (include "tukupay-sms.cnpgName" .root) -}}
{{- end -}}
{{- end -}}

{{/* What a URL of the database leaves open: libpq takes it from these. Gets isDirect where no pooler may be between. */}}
{{- define "tukupay-sms.databaseEnv" -}}
{{- $isPooled := and (not .isDirect) (eq (include "tukupay-sms.isPooled" .) "true") -}}
{{- include "tukupay-sms.env" (list "PGHOST" (ternary (include "tukupay-sms.poolerHost" .) (include "tukupay-sms.databaseHosts" .) $isPooled)) }}
{{- include "tukupay-sms.env" (list "PGPORT" (ternary (int .root.Values.pgbouncer.port) (int .root.Values.database.port) (and $isPooled .root.Values.pgbouncer.enabled))) }}
{{- /* Of one name nothing is asked: it leads to the server that takes writes, and a URL of a replica is not refused for it. */}}
{{- if and (not $isPooled) (contains "," (include "tukupay-sms.databaseHosts" .)) }}
{{- include "tukupay-sms.env" (list "PGTARGETSESSIONATTRS" "read-write") }}
{{- end }}
{{- if eq .root.Values.database.tls.mode "proxy" }}
{{- include "tukupay-sms.env" (list (printf "%s_DATABASE_TLS" (upper .name)) "proxy") }}
{{- else }}
{{- include "tukupay-sms.env" (list "PGSSLMODE" "verify-full") }}
{{- include "tukupay-sms.env" (list "PGSSLROOTCERT" "/etc/tukupay-sms/database-ca/ca.crt") }}
{{- end }}
{{- end -}}

{{/* What pricing and messaging have in common. */}}
{{- define "tukupay-sms.serviceEnv" -}}
{{- $prefix := upper .name -}}
{{- include "tukupay-sms.env" (list (printf "%s_GRPC_ADDRESS" $prefix) (include "tukupay-sms.address" (dict "root" .root "port" "grpc"))) }}
{{- include "tukupay-sms.env" (list (printf "%s_IDENTITIES_FILE" $prefix) "/etc/tukupay-sms/access/identities.toml") }}
{{- include "tukupay-sms.databaseEnv" . }}
{{- include "tukupay-sms.env" (list (printf "%s_DATABASE_URL_FILE" $prefix) (printf "/etc/tukupay-sms/secrets/%s_DATABASE_URL" $prefix)) }}
{{- if and (eq .name "messaging") .values.database.directUrlKey }}
{{- include "tukupay-sms.env" (list "MESSAGING_DATABASE_DIRECT_URL_FILE" "/etc/tukupay-sms/secrets/MESSAGING_DATABASE_DIRECT_URL") }}
{{- end }}
{{- if eq .root.Values.tls.mode "proxy" }}
{{- include "tukupay-sms.env" (list (printf "%s_TLS" $prefix) "proxy") }}
{{- else }}
{{- include "tukupay-sms.env" (list (printf "%s_TLS_CERT_FILE" $prefix) "/etc/tukupay-sms/tls/tls.crt") }}
{{- include "tukupay-sms.env" (list (printf "%s_TLS_KEY_FILE" $prefix) "/etc/tukupay-sms/tls/tls.key") }}
{{- if eq .root.Values.tls.mode "mutual" }}
{{- include "tukupay-sms.env" (list (printf "%s_TLS_CLIENT_CA_FILE" $prefix) "/etc/tukupay-sms/tls/ca.crt") }}
{{- end }}
{{- end }}
{{- end -}}

{{/* How a component protects its calls, and who it says that it is. Gets prefix, that of the variables. */}}
{{- define "tukupay-sms.callEnv" -}}
{{- if eq .root.Values.tls.mode "proxy" }}
{{- include "tukupay-sms.env" (list (printf "%s_TLS" .prefix) "proxy") }}
{{- else }}
{{- include "tukupay-sms.env" (list (printf "%s_TLS_CA_FILE" .prefix) "/etc/tukupay-sms/tls/ca.crt") }}
{{- end }}
{{- if eq .root.Values.tls.mode "mutual" }}
{{- include "tukupay-sms.env" (list (printf "%s_TLS_CERT_FILE" .prefix) "/etc/tukupay-sms/tls/tls.crt") }}
{{- include "tukupay-sms.env" (list (printf "%s_TLS_KEY_FILE" .prefix) "/etc/tukupay-sms/tls/tls.key") }}
{{- else }}
{{- include "tukupay-sms.env" (list (printf "%s_SERVICE_TOKEN_FILE" (upper .name)) (printf "/etc/tukupay-sms/secrets/%s_SERVICE_TOKEN" (upper .name))) }}
{{- end }}
{{- end -}}

{{- define "tukupay-sms.smppEnv" -}}
{{- $smpp := .values.smpp -}}
{{- include "tukupay-sms.env" (list "SMPP_NAME" $smpp.name) }}
{{- include "tukupay-sms.env" (list "SMPP_HOST" $smpp.host) }}
{{- include "tukupay-sms.env" (list "SMPP_PORT" (int $smpp.port)) }}
{{- include "tukupay-sms.env" (list "SMPP_SYSTEM_ID" $smpp.systemId) }}
{{- include "tukupay-sms.env" (list "SMPP_PASSWORD_FILE" "/etc/tukupay-sms/secrets/SMPP_PASSWORD") }}
{{- include "tukupay-sms.env" (list "SMPP_BINDS" (int $smpp.binds)) }}
{{- include "tukupay-sms.env" (list "SMPP_MAX_BINDS" (int $smpp.maxBinds)) }}
{{- end -}}

{{/* Settings by their own names, as values give them. Gets settings, and secretSettings with the files of secrets. */}}
{{- define "tukupay-sms.chosenEnv" -}}
{{- range $name := keys .values.settings | sortAlpha }}
{{- include "tukupay-sms.env" (list $name (get $.values.settings $name)) }}
{{- end }}
{{- range $name := keys .values.secretSettings | sortAlpha }}
{{- include "tukupay-sms.env" (list (printf "%s_FILE" (trimSuffix "_FILE" $name)) (printf "/etc/tukupay-sms/secrets/%s" $name)) }}
{{- end }}
{{- end -}}

{{/* All of the environment of a component. */}}
{{- define "tukupay-sms.componentEnv" -}}
{{- $prefix := upper .name -}}
{{- include "tukupay-sms.env" (list "LOG_LEVEL" .root.Values.logLevel) }}
{{- include "tukupay-sms.env" (list (printf "%s_METRICS_ADDRESS" $prefix) (include "tukupay-sms.address" (dict "root" .root "port" "metrics"))) }}
{{- include "tukupay-sms.env" (list (printf "%s_PROBES_ADDRESS" $prefix) (include "tukupay-sms.address" (dict "root" .root "port" "probes"))) }}
{{- include "tukupay-sms.env" (list (printf "%s_DRAIN_S" $prefix) .values.drainSeconds) }}
{{- include "tukupay-sms.env" (list (printf "%s_PRE_DRAIN_S" $prefix) .values.preDrainSeconds) }}
{{- include "tukupay-sms.env" (list (printf "%s_ACCESS" $prefix) "required") }}
{{- if .root.Values.access.issuers }}
{{- include "tukupay-sms.env" (list (printf "%s_ISSUERS_FILE" $prefix) "/etc/tukupay-sms/access/issuers.toml") }}
{{- end }}
{{- if .root.Values.tracing.otlpEndpoint }}
{{- include "tukupay-sms.env" (list (printf "%s_TRACING_OTLP_ENDPOINT" $prefix) .root.Values.tracing.otlpEndpoint) }}
{{- end }}
{{- if eq .name "gateway" }}
{{- if .root.Values.tracing.otlpEndpoint }}
{{- include "tukupay-sms.env" (list "GATEWAY_TRACING_SAMPLE_RATIO" .root.Values.tracing.sampleRatio) }}
{{- end }}
{{- include "tukupay-sms.env" (list "GATEWAY_HTTP_ADDRESS" (include "tukupay-sms.address" (dict "root" .root "port" "http"))) }}
{{- include "tukupay-sms.env" (list "GATEWAY_PRICING_ADDRESS" (include "tukupay-sms.target" (dict "root" .root "name" "pricing"))) }}
{{- include "tukupay-sms.env" (list "GATEWAY_MESSAGING_ADDRESS" (include "tukupay-sms.target" (dict "root" .root "name" "messaging"))) }}
{{- include "tukupay-sms.callEnv" (dict "root" .root "name" .name "prefix" "GATEWAY_SERVICES") }}
{{- if eq .values.http.tls "proxy" }}
{{- include "tukupay-sms.env" (list "GATEWAY_TLS" "proxy") }}
{{- else }}
{{- include "tukupay-sms.env" (list "GATEWAY_TLS_CERT_FILE" "/etc/tukupay-sms/http-tls/tls.crt") }}
{{- include "tukupay-sms.env" (list "GATEWAY_TLS_KEY_FILE" "/etc/tukupay-sms/http-tls/tls.key") }}
{{- end }}
{{- else }}
{{- include "tukupay-sms.serviceEnv" . }}
{{- end }}
{{- if eq .name "messaging" }}
{{- include "tukupay-sms.env" (list "MESSAGING_PRICING_ADDRESS" (include "tukupay-sms.target" (dict "root" .root "name" "pricing"))) }}
{{- include "tukupay-sms.callEnv" (dict "root" .root "name" .name "prefix" "MESSAGING_PRICING") }}
{{- if .values.carriers }}
{{- include "tukupay-sms.env" (list "MESSAGING_CARRIERS_FILE" "/etc/tukupay-sms/carriers/carriers.toml") }}
{{- else }}
{{- include "tukupay-sms.smppEnv" . }}
{{- end }}
{{- end }}
{{- include "tukupay-sms.chosenEnv" . }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
