#!/bin/sh
# The MLflow server on PostgreSQL, behind name and password. Everything secret comes from the environment:
#   MLFLOW_BACKEND_STORE_URI         database of the runs
#   MLFLOW_AUTH_DATABASE_URI         database of the users
#   MLFLOW_AUTH_ADMIN_USERNAME, MLFLOW_AUTH_ADMIN_PASSWORD
#   MLFLOW_FLASK_SERVER_SECRET_KEY   signs the cookies of the UI
# and the rest: MLFLOW_ARTIFACTS (a folder or bucket), MLFLOW_HOST (127.0.0.1), MLFLOW_PORT (5000), MLFLOW_WORKERS (2),
# MLFLOW_ALLOWED_HOSTS (localhost:*,127.0.0.1:*): the names by which clients may call this server.
set -eu

for name in MLFLOW_BACKEND_STORE_URI MLFLOW_AUTH_DATABASE_URI MLFLOW_AUTH_ADMIN_USERNAME \
    MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY MLFLOW_ARTIFACTS; do
    eval "value=\${$name:-}"
    if [ -z "$value" ]; then
        echo "mlflow-server: $name must be set" >&2
        exit 2
    fi
done

umask 077
MLFLOW_AUTH_CONFIG_PATH=$(mktemp)
export MLFLOW_AUTH_CONFIG_PATH
# The one setting that MLflow reads from a file only. A percent sign is special there.
{
    echo '[mlflow]'
    echo 'default_permission = READ'
    printf 'database_uri = %s\n' "$MLFLOW_AUTH_DATABASE_URI" | sed 's/%/%%/g'
    # Checking a password is slow on purpose; a client that logs many trials should wait for it once in a minute.
    echo 'auth_cache_ttl_seconds = 60'
} > "$MLFLOW_AUTH_CONFIG_PATH"

exec mlflow server --app-name basic-auth \
    --artifacts-destination "$MLFLOW_ARTIFACTS" \
    --host "${MLFLOW_HOST:-127.0.0.1}" --port "${MLFLOW_PORT:-5000}" --workers "${MLFLOW_WORKERS:-2}" \
    --allowed-hosts "${MLFLOW_ALLOWED_HOSTS:-localhost:*,127.0.0.1:*}"
