// The branches a customer knows: their numbers, addresses and connections.
#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bank/v1/customer.grpc.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "net/address_list.h"
#include "net/channel.h"
#include "net/security.h"

namespace bank::client {

struct Branch {
  BranchId id;
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Customer::Stub> stub;
};

// Connects lazily; fails only on what net::MakeChannel refuses.
absl::StatusOr<std::vector<Branch>> Connect(const std::vector<net::BranchAddress>& addresses,
                                            const net::TlsFiles& tls,
                                            net::Connection connection = net::Connection::kShared);

// Waits, by the branch's own health service, until it serves customers. Unavailable at the
// deadline (steady clock); the message says what was seen last. Blocks.
absl::Status AwaitServing(const Branch& branch, const Clock& clock, int64_t deadline_ns);

}  // namespace bank::client
