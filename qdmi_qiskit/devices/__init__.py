"""The plug-ins, one module or package each; they do not know each other."""
