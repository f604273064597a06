#!/usr/bin/env bash
# Checks the page's modules: ESLint, then TypeScript's checker on their JSDoc types. Needs Node.js 18
# or newer with npm; the packages are those of page-checks/package-lock.json. Ends with a fault planted
# for each of the two, which must be found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
checks=scripts/page-checks

if [[ ! -x $checks/node_modules/.bin/tsc || $checks/package-lock.json -nt $checks/node_modules ]]; then
    npm ci --prefix "$checks" --no-audit --no-fund --silent
    touch "$checks/node_modules"
fi

lint() { "$checks/node_modules/.bin/eslint" --config "$checks/eslint.config.js" --max-warnings 0 "$@"; }
types() { "$checks/node_modules/.bin/tsc" --project "$1"; }

lint crates/serve/page
types "$checks/tsconfig.json"

planted=$(mktemp -d "$checks/planted.XXXXXX")
trap 'rm -rf "$planted"' EXIT
echo 'document.body.innerHTML = location.hash;' >"$planted/lint.js"
echo 'export const steps = /** @type {number} */ ("many");' >"$planted/types.js"
echo '{"extends": "../tsconfig.json", "include": ["*.js"]}' >"$planted/tsconfig.json"
if lint "$planted/lint.js" >/dev/null; then
    echo "ESLint didn't find the planted fault" >&2
    exit 1
fi
if types "$planted/tsconfig.json" >/dev/null; then
    echo "TypeScript didn't find the planted fault" >&2
    exit 1
fi
echo "page: $(cat crates/serve/page/*.js | wc -l) lines of JavaScript without a fault"
