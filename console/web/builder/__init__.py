"""The builder of distributions: one document, shown as the steps of a form and as YAML."""
