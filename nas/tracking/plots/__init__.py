"""Pictures: fronts, lineages, graphs, curves, films; none needs MLflow."""
