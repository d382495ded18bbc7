// Goal: nothing but loopback is ever reached in plaintext, and every refusal is one clear line.
// Method: a table of addresses; TLS files that are missing, incomplete or not PEM; a taken port.
#include "net/security.h"

#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <gtest/gtest.h>

#include <fstream>

#include "grpc/health/v1/health.grpc.pb.h"
#include "net/channel.h"
#include "tests/support/temp_folder.h"

namespace bank::net {
namespace {

using ::testing::HasSubstr;

struct Row {
  const char* address;
  bool valid;
  bool loopback;
};

class Address : public ::testing::TestWithParam<Row> {};

TEST_P(Address, PlaintextOnLoopbackOnly) {
  const Row& row = GetParam();
  EXPECT_EQ(HostOf(row.address).ok(), row.valid);
  const auto server = MakeServerCredentials(row.address, {});
  const auto client = MakeChannelCredentials(row.address, {});
  EXPECT_EQ(server.ok(), row.loopback) << server.status();
  EXPECT_EQ(client.ok(), row.loopback) << client.status();
  const auto refused =
      row.valid ? absl::StatusCode::kPermissionDenied : absl::StatusCode::kInvalidArgument;
  if (!row.loopback) {
    EXPECT_EQ(server.status().code(), refused);
    EXPECT_EQ(client.status().code(), refused);
    EXPECT_THAT(std::string(client.status().message()), HasSubstr(row.address));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, Address,
    ::testing::Values(Row{"localhost:50051", true, true}, Row{"127.0.0.1:0", true, true},
                      Row{"127.9.9.9:1", true, true}, Row{"[::1]:50051", true, true},
                      Row{"unix:/tmp/x", true, true}, Row{"0.0.0.0:50051", true, false},
                      Row{"[::]:50051", true, false}, Row{"10.0.0.1:50051", true, false},
                      Row{"example.org:443", true, false}, Row{"127.0.0.1.nip.io:1", true, false},
                      Row{"localhost.evil.org:1", true, false}, Row{"localhost", false, false},
                      Row{"", false, false}, Row{":50051", false, false},
                      Row{"localhost:", false, false}, Row{"localhost:65536", false, false},
                      Row{"localhost:5x", false, false}, Row{"::1:50051", false, false},
                      Row{"[::1:50051", false, false}, Row{"unix:", false, false},
                      Row{"dns:///localhost:1", false, false}));

TEST(Tls, IncompleteOrUnreadableFilesAreNamed) {
  const auto missing = MakeServerCredentials("0.0.0.0:1", {"", "k", "a"});
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("--tls-cert is missing"));

  const TempFolder folder;
  const std::string path = folder.Of("not_pem");
  std::ofstream(path) << "hello";
  const auto not_pem = MakeChannelCredentials("localhost:1", {path, path, path});
  EXPECT_EQ(not_pem.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(not_pem.status().message()), HasSubstr(path));

  const auto absent = MakeChannelCredentials("localhost:1", {"/nowhere/c", "k", "a"});
  EXPECT_THAT(std::string(absent.status().message()), HasSubstr("/nowhere/c"));
}

TEST(Listener, TwoServersNeverShareAPort) {
  grpc::health::v1::Health::CallbackService service;  // a server needs some service
  int port = 0;
  grpc::ServerBuilder first;
  first.RegisterService(&service);
  ASSERT_TRUE(AddListener(first, "127.0.0.1:0", {}, &port).ok());
  const auto server = first.BuildAndStart();
  ASSERT_NE(server, nullptr);
  ASSERT_GT(port, 0);

  int taken = 0;
  grpc::ServerBuilder second;
  second.RegisterService(&service);
  ASSERT_TRUE(AddListener(second, "127.0.0.1:" + std::to_string(port), {}, &taken).ok());
  EXPECT_EQ(second.BuildAndStart(), nullptr);
  EXPECT_EQ(taken, 0);
}

TEST(Listener, RefusesPlaintextBeyondLoopback) {
  int port = 0;
  grpc::ServerBuilder builder;
  EXPECT_EQ(AddListener(builder, "0.0.0.0:0", {}, &port).code(),
            absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace bank::net
