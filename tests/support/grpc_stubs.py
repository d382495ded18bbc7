"""Python modules for a .proto, made on the spot."""
import importlib
import pathlib
import subprocess
import sys
import tempfile


def load(name, text):
    """(messages module, stubs module) of a file called name.proto"""
    with tempfile.TemporaryDirectory(prefix="grpc-stubs-") as folder:
        (pathlib.Path(folder) / f"{name}.proto").write_text(text)
        subprocess.run(["protoc", f"-I{folder}", f"--python_out={folder}", f"--grpc_out={folder}",
                        "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", f"{name}.proto"], check=True)
        sys.path.insert(0, folder)
        try:
            return importlib.import_module(f"{name}_pb2"), importlib.import_module(f"{name}_pb2_grpc")
        finally:
            sys.path.remove(folder)
