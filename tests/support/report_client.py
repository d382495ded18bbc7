"""The exercise's own client: stubs generated from the four lines its reports print."""
import importlib
import pathlib
import subprocess
import sys
import tempfile

PROTO = """syntax = "proto3";
service RPCServicer { rpc MsgDelivery(request_service) returns (success); }
message request_service { string request = 1; int64 money = 2; }
message success { bool success = 1; int32 money = 2; }
"""


def load():
    """(messages module, stubs module)"""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="report-client-"))
    (folder / "report.proto").write_text(PROTO)
    subprocess.run(["protoc", f"-I{folder}", f"--python_out={folder}", f"--grpc_out={folder}",
                    "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", "report.proto"], check=True)
    sys.path.insert(0, str(folder))
    return importlib.import_module("report_pb2"), importlib.import_module("report_pb2_grpc")
