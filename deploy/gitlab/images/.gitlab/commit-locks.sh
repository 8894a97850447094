#!/bin/sh
# Commits changed locks and pushes them: commit-locks.sh BRANCH [git push options]
set -eu
branch=$1
shift

changed=$(mktemp)
git diff --name-only -z -- 'images/*.lock.json' > "$changed"
if [ ! -s "$changed" ]; then
  echo "no lock has changed"
  exit 0
fi
# With merged results or a merge train, the checkout has commits of the target and of others, which would be pushed, too.
[ -z "${CI_MERGE_REQUEST_SOURCE_BRANCH_SHA:-}" ] || git reset --quiet "$CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"
git add --pathspec-from-file="$changed" --pathspec-file-nul
git -c user.name=apko-lock -c user.email="apko-lock@$CI_SERVER_HOST" commit -m "chore(images): refresh the locks"
# Force only on the branch made for this purpose. On a branch with other commits, a lost race must fail.
force=
[ "$branch" = apko-lock ] && force=--force
# GitLab may have a port or be below a path.
url=${CI_PROJECT_URL%%://*}://lock:$LOCK_TOKEN@${CI_PROJECT_URL#*://}.git
git push $force "$@" "$url" "HEAD:refs/heads/$branch"
