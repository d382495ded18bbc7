// What a branch is told when it starts: flags, environment, config file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "branch/replication/driver/driver.h"
#include "common/ids.h"
#include "net/security.h"

namespace bank::node {

enum class ReplicatorKind { kRaft, kLamport };

struct Config {
  ReplicatorKind replicator = ReplicatorKind::kRaft;
  BranchId self;
  std::string listen;  // host:port
  std::string http;    // host:port of the console; empty: none
  std::string data;    // folder
  int64_t initial_balance = 0;
  bool rebuild = false;
  bool json = false;  // form of the lines on stdout
  std::string log_level = "info";
  net::TlsFiles tls;
  int64_t sampling_interval_ms = 1000;
  std::string monitor;  // host:port of a foreign server of monitor.proto; "": none
  // Argv that tests put in the place of a host diagnostic.
  std::map<std::string, std::vector<std::string>, std::less<>> diagnostics;
  // Where to reach some of the others instead of at their address in --peers.
  std::map<BranchId, std::string> dial;
  // self, initial members, seed and the tuning; initial members sorted by id.
  replication::DriverOptions driver;
};

// Parses the command line. A config, or the exit code to leave with (everything has been said).
struct Parsed {
  std::optional<Config> config;
  int exit_code = 0;
};
Parsed ParseConfig(int argc, const char* const* argv);

// The members of '1=host:port,2=host:port,...', sorted by id, voters by the rule: of one or two
// members all vote, of three or four the three lowest ids, of five and more the five lowest. The
// others receive the log and do not vote. InvalidArgument says which part is wrong.
absl::StatusOr<std::vector<replication::Member>> ParsePeers(std::string_view peers);

// What --dial says: 'ID=host:port' each, of members other than `self`. InvalidArgument says which
// one is wrong.
absl::StatusOr<std::map<BranchId, std::string>> ParseDial(
    const std::vector<std::string>& dial, const std::vector<replication::Member>& initial_members,
    BranchId self);

// The bank's number: a hash of its bootstrap configuration: the ids, who votes, the initial
// balance, and how branches agree. Branches of different numbers never speak to each other, nor
// share a data folder. Addresses are no part of it: a branch may move. Never 0.
uint64_t BankNumber(const std::vector<replication::Member>& initial_members,
                    int64_t initial_balance, ReplicatorKind replicator = ReplicatorKind::kRaft);

}  // namespace bank::node
