{{/* Rules of NetworkPolicies, made of the values that addresses are made of. */}}

{{/* Ports of TCP. Gets a list of numbers. */}}
{{- define "tukupay-sms.tcp" -}}
ports:
  {{- range . | uniq }}
  - {protocol: TCP, port: {{ int . }}}
  {{- end }}
{{- end -}}

{{/* Where a rule leads to. Gets peers, as values give them, hosts, and more, peers that the chart knows.
     Peers of values win. Without them hosts that are addresses are the peers, if all are; otherwise the port alone counts. */}}
{{- define "tukupay-sms.to" -}}
{{- $found := list -}}
{{- $isNamed := false -}}
{{- range .hosts -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+){3}$" . -}}
{{- $found = append $found (dict "ipBlock" (dict "cidr" (printf "%s/32" .))) -}}
{{- else if contains ":" . -}}
{{- $found = append $found (dict "ipBlock" (dict "cidr" (printf "%s/128" .))) -}}
{{- else -}}
{{- $isNamed = true -}}
{{- end -}}
{{- end -}}
{{- $peers := default (ternary (list) $found $isNamed) (default .peers .more) -}}
{{- with $peers }}
to:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tukupay-sms.dnsRule" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns.to | nindent 4 }}
  ports:
    - {protocol: UDP, port: {{ .Values.networkPolicy.dns.port }}}
    - {protocol: TCP, port: {{ .Values.networkPolicy.dns.port }}}
{{- end -}}

{{- define "tukupay-sms.podsOf" -}}
podSelector:
  matchLabels:
    {{- include "tukupay-sms.selector" . | nindent 4 }}
{{- end -}}

{{/* The server of the database, and its pooler for services. Gets root, name, values, isDirect. */}}
{{- define "tukupay-sms.databaseRules" -}}
{{- $root := .root -}}
{{- $isPooled := eq (include "tukupay-sms.isPooled" .) "true" -}}
{{- if or (not $isPooled) .isDirect (eq $root.Values.migrate.mode "initContainer") (and (eq .name "messaging") .values.database.directUrlKey) }}
{{- $cnpg := list }}
{{- if $root.Values.cnpg.enabled }}
{{- $cnpg = list (dict "podSelector" (dict "matchLabels" (dict "cnpg.io/cluster" (include "tukupay-sms.cnpgName" $root)))) }}
{{- end }}
- {{- include "tukupay-sms.tcp" (list $root.Values.database.port) | nindent 2 }}
  {{- include "tukupay-sms.to" (dict "peers" $root.Values.networkPolicy.peers.database "hosts" (include "tukupay-sms.databaseHosts" . | splitList ",") "more" $cnpg) | nindent 2 }}
{{- end }}
{{- if and $isPooled (not .isDirect) }}
{{- if $root.Values.pgbouncer.enabled }}
- {{- include "tukupay-sms.tcp" (list $root.Values.pgbouncer.port) | nindent 2 }}
  to:
    - {{- include "tukupay-sms.podsOf" (dict "root" $root "name" "pgbouncer") | nindent 6 }}
{{- else }}
- {{- include "tukupay-sms.tcp" (list $root.Values.database.port) | nindent 2 }}
  to:
    - podSelector:
        matchLabels:
          cnpg.io/poolerName: {{ include "tukupay-sms.poolerHost" . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The port that a URL leads to. */}}
{{- define "tukupay-sms.portOf" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- default (ternary "80" "443" (eq $url.scheme "http")) $port -}}
{{- end -}}

{{- define "tukupay-sms.hostOf" -}}
{{- (urlParse .).host | regexFind "^[^:]+" -}}
{{- end -}}

{{/* A rule for a URL. Gets url and peers. */}}
{{- define "tukupay-sms.urlRule" }}
- {{- include "tukupay-sms.tcp" (list (include "tukupay-sms.portOf" .url)) | nindent 2 }}
  {{- include "tukupay-sms.to" (dict "peers" .peers "hosts" (list (include "tukupay-sms.hostOf" .url))) | nindent 2 }}
{{- end -}}

{{/* Whoever verifies tokens fetches keys of the issuers; whoever traces posts spans. */}}
{{- define "tukupay-sms.sharedRules" -}}
{{- $peers := .root.Values.networkPolicy.peers -}}
{{- range .root.Values.access.issuers }}
{{- include "tukupay-sms.urlRule" (dict "url" .jwks_url "peers" $peers.issuers) }}
{{- end }}
{{- with .root.Values.tracing.otlpEndpoint }}
{{- include "tukupay-sms.urlRule" (dict "url" . "peers" $peers.otlp) }}
{{- end }}
{{- end -}}

{{/* Carriers, and the public internet for webhooks and channels, but for what is private there. */}}
{{- define "tukupay-sms.messagingRules" -}}
{{- $network := .root.Values.networkPolicy -}}
{{- $settings := .values.settings -}}
{{- if .values.carriers }}
{{- range .values.carriers.carriers }}
{{- if eq .kind "smpp" }}
- {{- include "tukupay-sms.tcp" (list .port) | nindent 2 }}
  {{- include "tukupay-sms.to" (dict "peers" $network.peers.carriers "hosts" (list .host)) | nindent 2 }}
{{- else }}
- {{- include "tukupay-sms.tcp" (list 443) | nindent 2 }}
  {{- include "tukupay-sms.to" (dict "peers" $network.peers.carriers "hosts" (list "by its name")) | nindent 2 }}
{{- end }}
{{- end }}
{{- else }}
- {{- include "tukupay-sms.tcp" (list .values.smpp.port) | nindent 2 }}
  {{- include "tukupay-sms.to" (dict "peers" $network.peers.carriers "hosts" (list .values.smpp.host)) | nindent 2 }}
{{- end }}
{{- with $settings.MESSAGING_TRANSIT_URL }}
{{- include "tukupay-sms.urlRule" (dict "url" . "peers" $network.peers.transit) }}
{{- end }}
{{- if hasKey .values.secretSettings "CHANNEL_SMTP_URL" }}
- {{- include "tukupay-sms.tcp" (list $network.smtpPort) | nindent 2 }}
  {{- include "tukupay-sms.to" (dict "peers" $network.peers.smtp "hosts" (list "by its name")) | nindent 2 }}
{{- end }}
{{- if $network.webhooks.enabled }}
- {{- include "tukupay-sms.tcp" $network.webhooks.ports | nindent 2 }}
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: ::/0
        except: ["::1/128", "fc00::/7", "fe80::/10"]
    {{- range $name := list "WEBHOOK_ALLOWED_NETWORKS" "CHANNEL_ALLOWED_NETWORKS" }}
    {{- with get $settings $name }}
    {{- range splitList "," . }}
    - ipBlock:
        cidr: {{ . | trim | quote }}
    {{- end }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Whoever may scrape. */}}
{{- define "tukupay-sms.scrapeRule" -}}
{{- with .root.Values.networkPolicy.monitoring.from }}
- from:
    {{- toYaml . | nindent 4 }}
  ports:
    - {protocol: TCP, port: metrics}
{{- end }}
{{- end -}}
