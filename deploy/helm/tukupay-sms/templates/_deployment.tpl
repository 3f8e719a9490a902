{{/* The Deployment of a component. Gets root, name, values. */}}
{{- define "tukupay-sms.deployment" -}}
{{- $values := .values -}}
{{- if le (int $values.terminationGracePeriodSeconds) (add (int $values.preStopSeconds) (int $values.preDrainSeconds) (int $values.drainSeconds) 8) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds must be more than preStopSeconds + preDrainSeconds + drainSeconds + 8, or pods are killed while they drain" .name) -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "tukupay-sms.metadata" (dict "root" .root "name" .name "annotations" $values.annotations) | nindent 2 }}
spec:
  {{- if not (eq (include "tukupay-sms.scaler" .) "true") }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "tukupay-sms.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "tukupay-sms.labels" . | nindent 8 }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- $annotations := merge (dict) $values.podAnnotations }}
      {{- if and (eq .name "messaging") $values.carriers }}
      {{- /* Carriers are read at the start, so other ones are rolled out. What access/ holds is read again by itself. */}}
      {{- $annotations = merge (dict "tukupay.com/carriers-sha256" (include "tukupay-sms.carriers" .root | sha256sum)) $annotations }}
      {{- end }}
      {{- with $annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "tukupay-sms.serviceAccountName" . }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      securityContext:
        {{- include "tukupay-sms.podSecurity" . | nindent 8 }}
      {{- with include "tukupay-sms.placement" . | trim }}{{ . | nindent 6 }}{{ end }}
      {{- $migrates := and (ne .name "gateway") (eq .root.Values.migrate.mode "initContainer") }}
      {{- if or $migrates $values.initContainers }}
      initContainers:
        {{- if $migrates }}
        - {{- include "tukupay-sms.migrationContainer" (dict "root" .root "name" .name "values" $values) | nindent 10 }}
        {{- end }}
        {{- with $values.initContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ include "tukupay-sms.image" .root }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [python, -m, {{ ternary "gateway_http" (printf "%s_service" .name) (eq .name "gateway") }}]
          ports:
            {{- if eq .name "gateway" }}
            - {name: http, containerPort: {{ .root.Values.ports.http }}}
            {{- else }}
            - {name: grpc, containerPort: {{ .root.Values.ports.grpc }}}
            {{- end }}
            - {name: probes, containerPort: {{ .root.Values.ports.probes }}}
            - {name: metrics, containerPort: {{ .root.Values.ports.metrics }}}
          env:
            {{- with include "tukupay-sms.componentEnv" . | trim }}{{ . | nindent 12 }}{{ end }}
          {{- include "tukupay-sms.probes" . | nindent 10 }}
          lifecycle:
            preStop:
              sleep: {seconds: {{ $values.preStopSeconds }}}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "tukupay-sms.containerSecurity" . | nindent 12 }}
          volumeMounts:
            {{- include "tukupay-sms.componentMounts" . | nindent 12 }}
        {{- with $values.sidecars }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        {{- include "tukupay-sms.componentVolumes" . | nindent 8 }}
        {{- if $migrates }}
        {{- include "tukupay-sms.secretsVolume" (dict "volume" "migrate-secrets" "files" (include "tukupay-sms.migrationSecretFiles" . | fromYamlArray)) | nindent 8 }}
        {{- end }}
{{- end -}}

{{/* Whether something else than the chart says how many replicas there are. */}}
{{- define "tukupay-sms.scaler" -}}
{{- if or .values.autoscaling.enabled (and (eq .name "messaging") .values.keda.enabled) }}true{{ end -}}
{{- end -}}

{{/* What brings the database of a component to the schema of this release. */}}
{{- define "tukupay-sms.migrationContainer" -}}
name: migrate
image: {{ include "tukupay-sms.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [python, -m, {{ .name }}_service.migrate{{ with .values.database.role }}, --grant, {{ . }}{{ end }}]
env:
  {{- include "tukupay-sms.env" (list "LOG_LEVEL" .root.Values.logLevel) | nindent 2 }}
  {{- include "tukupay-sms.databaseEnv" (dict "root" .root "name" .name "values" .values "isDirect" true) | nindent 2 }}
  {{- include "tukupay-sms.env" (list (printf "%s_DATABASE_URL_FILE" (upper .name)) (printf "/etc/tukupay-sms/migrate/%s_DATABASE_URL" (upper .name))) | nindent 2 }}
  {{- include "tukupay-sms.env" (list (printf "%s_DATABASE_DIRECT_URL_FILE" (upper .name)) (printf "/etc/tukupay-sms/migrate/%s_DATABASE_DIRECT_URL" (upper .name))) | nindent 2 }}
resources:
  {{- toYaml .root.Values.migrate.resources | nindent 2 }}
securityContext:
  {{- include "tukupay-sms.containerSecurity" . | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: migrate-secrets
    mountPath: /etc/tukupay-sms/migrate
    readOnly: true
  {{- if eq .root.Values.database.tls.mode "verify-full" }}
  - name: database-ca
    mountPath: /etc/tukupay-sms/database-ca
    readOnly: true
  {{- end }}
{{- end -}}
