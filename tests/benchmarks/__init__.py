"""How fast Bunce is fed, and by what: ratios between programs measured side by side."""
