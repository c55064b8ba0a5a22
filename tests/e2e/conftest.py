import pytest

from sparsefit.cli import main


@pytest.fixture
def command(capsys):
    """Return a function from arguments to exit code, stdout and lines of stderr."""

    def run(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run
