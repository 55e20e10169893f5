# A thin alias for ./x, for hands that type make.
.PHONY: demo test bench setup help
demo test bench setup help:
	@./x $@
