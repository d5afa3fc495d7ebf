# What one does with the course. Every target makes its environment first; a second call finds it there.
#   make lab ARGS="--no-browser --port 8899"    open the labs in JupyterLab
#   make demo ARGS=kl                           show the lecture demos as an app, or one of them
#   make grade                                  grade a sample class, and see the reports
#   make check                                  the fast checks, under a minute
#   make test                                   everything, with the labs at reduced steps;  FULL=1: at full steps
#   make test-colab                             the labs with Colab's own versions
#   make test-newest                            the fast checks on the newest releases
#   make clean                                  remove the environments and caches
PYTHON ?= python3
SET_UP = $(PYTHON) tools/setup_env.py

.PHONY: lab demo grade check test test-colab test-newest clean dev

lab:
	@$(SET_UP) --extras lab
	@.venv/bin/course lab $(ARGS)

demo:
	@$(SET_UP) --extras lab
	@.venv/bin/course demo $(ARGS)

LAB ?= lab2_vae
grade:
	@$(SET_UP) --extras lab,grade
	@rm -rf build/sample-class
	@.venv/bin/python tools/sample_class.py build/sample-class/submissions $(LAB)
	@.venv/bin/course grade build/sample-class/submissions --lab $(LAB) --out build/sample-class/results --timeout 5 \
		|| [ $$? = 1 ]  # one of them is no notebook

check: dev
	@.venv/bin/python tools/run_tests.py --fast

test: dev
	@.venv/bin/python tools/run_tests.py $(if $(FULL),--full)

test-colab: dev
	@.venv/bin/python tools/run_tests.py --only colab $(if $(FULL),--full)

test-newest:
	@$(SET_UP) --venv .venv-newest --extras lab,grade,cluster,dev --newest
	@.venv-newest/bin/python tools/run_tests.py --fast

dev:
	@$(SET_UP) --extras lab,grade,cluster,dev

clean:
	rm -rf build .venv .venv-newest .venv-colab .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
