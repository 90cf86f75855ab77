"""The views of stage 3: one module or package each, named in `convscope.config.schema.views`."""
