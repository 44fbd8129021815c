#!/bin/sh
# Builds the two images: scripts/images.sh [--push]. IMAGE_PREFIX (ghcr.io/owner/) and IMAGE_TAG (local) name them; --push also
# sends them and prints API_IMAGE and WORKER_IMAGE by digest, as scripts/deploy.sh takes them. REGISTRY_USER and REGISTRY_PASSWORD sign in.
set -eu
cd "$(dirname "$0")/.."
prefix=$(printf %s "${IMAGE_PREFIX:-}" | tr '[:upper:]' '[:lower:]')
tag=${IMAGE_TAG:-local}
push=${1:-}
case "$push" in "" | --push) ;; *) echo "usage: scripts/images.sh [--push]" >&2; exit 2 ;; esac
if [ -n "$push" ]; then
  [ -n "$prefix" ] || { echo "scripts/images.sh --push needs IMAGE_PREFIX, such as ghcr.io/owner/." >&2; exit 2; }
  if [ -n "${REGISTRY_PASSWORD:-}" ]; then
    printf %s "$REGISTRY_PASSWORD" | docker login "${prefix%%/*}" --username "$REGISTRY_USER" --password-stdin >&2
  fi
fi

version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
for part in api worker; do
  image="${prefix}ariya-$part:$tag"
  # What staging ran is what is released: an image of this commit that is there already is not built anew.
  if [ -n "$push" ] && printf %s "$tag" | grep -Eqx '[0-9a-f]{40}' && docker pull "$image" >&2; then
    :
  else
    docker build --pull -f deploy/Dockerfile --target "$part" -t "$image" \
      --build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD)" . >&2
  fi
  if [ -n "$push" ]; then
    docker push "$image" >&2
    echo "$(printf %s "$part" | tr '[:lower:]' '[:upper:]')_IMAGE=$(docker image inspect --format '{{index .RepoDigests 0}}' "$image")"
  else
    echo "$image"
  fi
done
