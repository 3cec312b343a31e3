"""All that speaks with MLflow."""
