#!/bin/sh
# Run once by the PostgreSQL image, when its volume is empty: one database for studies (POSTGRES_DB makes it), one for
# MLflow's runs and one for its users.
set -eu
for database in mlflow mlflow_users; do
    psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --command "CREATE DATABASE $database"
done
