{{/* All objects of a component. Gets root, name, values. */}}
{{- define "tukupay-sms.component" -}}
{{- if .values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "tukupay-sms.metadata" (dict "root" .root "name" .name "objectName" (include "tukupay-sms.serviceAccountName" .) "annotations" .values.serviceAccount.annotations) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "tukupay-sms.metadata" (dict "root" .root "name" .name "annotations" .values.service.annotations) | nindent 2 }}
spec:
  {{- if eq .name "gateway" }}
  type: {{ .values.service.type }}
  ports:
    - {name: {{ ternary "http" "https" (eq .values.http.tls "proxy") }}, port: {{ .values.service.port }}, targetPort: http}
  {{- else }}
  # Headless: its name has the address of each ready pod, and callers share their calls among all of them.
  clusterIP: None
  ports:
    - {name: grpc, port: {{ .root.Values.ports.grpc }}, targetPort: grpc}
  {{- end }}
  selector:
    {{- include "tukupay-sms.selector" . | nindent 4 }}
---
{{ include "tukupay-sms.deployment" . }}
{{- if .values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "tukupay-sms.metadata" (dict "root" .root "name" .name) | nindent 2 }}
spec:
  {{- $budget := .values.podDisruptionBudget }}
  {{- if not (kindIs "invalid" $budget.minAvailable) }}
  minAvailable: {{ $budget.minAvailable }}
  {{- else }}
  maxUnavailable: {{ $budget.maxUnavailable }}
  {{- end }}
  unhealthyPodEvictionPolicy: {{ $budget.unhealthyPodEvictionPolicy }}
  selector:
    matchLabels:
      {{- include "tukupay-sms.selector" . | nindent 6 }}
{{- end }}
{{- if and .values.autoscaling.enabled (not (and (eq .name "messaging") .values.keda.enabled)) }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "tukupay-sms.metadata" (dict "root" .root "name" .name) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "tukupay-sms.componentName" . }}
  minReplicas: {{ .values.autoscaling.minReplicas }}
  maxReplicas: {{ .values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .values.autoscaling.targetCPUUtilizationPercentage }}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 300
{{- end }}
{{- end -}}
