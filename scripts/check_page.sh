#!/usr/bin/env bash
# Checks the page: Prettier's formatting at 100 columns, ESLint, and TypeScript's checker on the
# JSDoc types. Needs Node.js 18 or newer with npm; the packages are those of
# page-checks/package-lock.json. Finally plants a fault for each of the three, which must be found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
checks=scripts/page-checks

if [[ ! -x $checks/node_modules/.bin/tsc || $checks/package-lock.json -nt $checks/node_modules ]]; then
    npm ci --prefix "$checks" --no-audit --no-fund --silent
    touch "$checks/node_modules"
fi

# The planted files are ignored by git, and by Prettier unless told otherwise.
format() {
    "$checks/node_modules/.bin/prettier" --no-config --ignore-path /dev/null --print-width 100 \
        --check --log-level warn "$@"
}
lint() { "$checks/node_modules/.bin/eslint" --config "$checks/eslint.config.js" --max-warnings 0 "$@"; }
types() { "$checks/node_modules/.bin/tsc" --project "$1"; }

format crates/serve/page "$checks/*.js"
lint crates/serve/page
types "$checks/tsconfig.json"

planted=$(mktemp -d "$checks/planted.XXXXXX")
trap 'rm -rf "$planted"' EXIT
echo 'export  const steps = 1' >"$planted/format.js"
echo 'document.body.innerHTML = location.hash;' >"$planted/lint.js"
echo 'export const steps = /** @type {number} */ ("many");' >"$planted/types.js"
echo '{"extends": "../tsconfig.json", "include": ["*.js"]}' >"$planted/tsconfig.json"
if format "$planted/format.js" >/dev/null 2>&1; then
    echo "Prettier didn't find the planted fault" >&2
    exit 1
fi
if lint "$planted/lint.js" >/dev/null; then
    echo "ESLint didn't find the planted fault" >&2
    exit 1
fi
if types "$planted/tsconfig.json" >/dev/null; then
    echo "TypeScript didn't find the planted fault" >&2
    exit 1
fi
echo "page: $(cat crates/serve/page/* | wc -l) lines, no faults"
