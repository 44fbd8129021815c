#!/usr/bin/env bash
# Deploys to Kubernetes: scripts/deploy.sh staging|production
#   API_IMAGE, WORKER_IMAGE   by digest (name@sha256:…), as scripts/images.sh --push prints them
#   DEPLOY_NAMESPACE          where to; it exists and has the secrets of docs/deployment.md
#   KUBECONFIG, or KUBECONFIG_CONTENT with the file's text
# First the migration, and nothing else until it is done: when it fails the old version serves on. A rollout that does not become ready is taken back.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "deploy: $*" >&2; exit 1; }

target=${1:-}
overlays=deploy/kubernetes/overlays
[ -n "$target" ] || fail "no target: scripts/deploy.sh staging|production"
[[ "$target" =~ ^[a-z]+$ && -d "$overlays/$target" ]] || fail "there is no target '$target' in $overlays"
for name in API_IMAGE WORKER_IMAGE DEPLOY_NAMESPACE; do
  [ -n "${!name:-}" ] || fail "$target needs $name, which is not set"
done
[ -n "${KUBECONFIG:-}${KUBECONFIG_CONTENT:-}" ] || fail "$target needs KUBECONFIG or KUBECONFIG_CONTENT, which are not set"
for name in API_IMAGE WORKER_IMAGE; do
  [[ "${!name}" =~ ^[^@[:space:]]+@sha256:[0-9a-f]{64}$ ]] || fail "$name must name an image by digest: name@sha256:…"
done
if grep -rqs 'example\.com' "$overlays/$target" && [ "${ALLOW_EXAMPLES:-}" != 1 ]; then
  fail "$overlays/$target still has the names of the example: set your own in settings.env and kustomization.yaml"
fi

umask 077
work=$(mktemp -d)
release=$(mktemp -d "$overlays/.release-XXXXXX")
trap 'rm -rf "$work" "$release"' EXIT
if [ -n "${KUBECONFIG_CONTENT:-}" ]; then
  printf '%s\n' "$KUBECONFIG_CONTENT" >"$work/kubeconfig"
  export KUBECONFIG=$work/kubeconfig
fi
kube() { kubectl --namespace "$DEPLOY_NAMESPACE" "$@"; }

cat >"$release/kustomization.yaml" <<KUSTOMIZATION
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../$target]
images:
  - { name: ariya-api, newName: ${API_IMAGE%@*}, digest: "${API_IMAGE#*@}" }
  - { name: ariya-worker, newName: ${WORKER_IMAGE%@*}, digest: "${WORKER_IMAGE#*@}" }
KUSTOMIZATION
kubectl kustomize "$release" >"$work/objects.yaml"
apply() { kube apply -f "$work/objects.yaml" -l "ariya/stage=$1"; }

echo "deploy: $target, namespace $DEPLOY_NAMESPACE"
apply foundation
kube delete job ariya-migrate --ignore-not-found --wait=true
apply migration
deadline=$((SECONDS + ${MIGRATION_TIMEOUT:-960}))
while true; do
  conditions=$(kube get job ariya-migrate -o 'jsonpath={.status.conditions[?(@.status=="True")].type}')
  case " $conditions " in
    *" Complete "*) break ;;
    *" Failed "*)
      kube logs job/ariya-migrate --tail=50 >&2 || true
      fail "the migration failed, see above. The programs were not touched: the old version serves on" ;;
  esac
  if [ "$SECONDS" -ge "$deadline" ]; then
    kube logs job/ariya-migrate --tail=50 >&2 || true
    fail "the migration did not end in time. The programs were not touched: the old version serves on"
  fi
  sleep "${POLL_SECONDS:-3}"
done
kube logs job/ariya-migrate --tail=20 || true

apply programs
for part in api worker; do
  if ! kube rollout status "deployment/ariya-$part" --timeout=360s; then
    kube get pods -l "app.kubernetes.io/component=$part" >&2 || true
    kube rollout undo deployment/ariya-api >&2 || true
    kube rollout undo deployment/ariya-worker >&2 || true
    fail "ariya-$part did not become ready and was taken back to the version before. The schema stays at the new one"
  fi
done
echo "deploy: $target runs ${API_IMAGE##*/} and ${WORKER_IMAGE##*/}"
