"""The exercise's own client: stubs generated from the four lines its reports print."""
import grpc_stubs

PROTO = """syntax = "proto3";
service RPCServicer { rpc MsgDelivery(request_service) returns (success); }
message request_service { string request = 1; int64 money = 2; }
message success { bool success = 1; int32 money = 2; }
"""


def load():
    """(messages module, stubs module)"""
    return grpc_stubs.load("report", PROTO)
