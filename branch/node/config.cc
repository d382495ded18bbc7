#include "branch/node/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_join.h"
#include "branch/telemetry/collectors/sampler.h"
#include "common/bytes.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "net/address_list.h"
#include "xxhash.h"

namespace bank::node {
namespace {

constexpr size_t kVotersMax = 5;

constexpr const char* kExamples = R"(
Examples:
  A bank of one branch:
    branch --id 1 --peers 1=localhost:50051 --data /tmp/bank/1 --initial-balance 400
  The second of three:
    branch --id 2 --peers 1=localhost:50051,2=localhost:50052,3=localhost:50053 --data /tmp/bank/2 --initial-balance 400
  On a network:
    branch --id 1 --listen 10.0.0.1:50051 --peers 1=10.0.0.1:50051,2=10.0.0.2:50051,3=10.0.0.3:50051 \
      --data /var/lib/bank --tls-cert branch1.pem --tls-key branch1.key --tls-ca ca.pem

Every member of a bank is started with the same members and initial balance. SIGTERM drains and stops.
Exit codes: 0 stopped as asked; 1 usage; 2 bad configuration; 3 unavailable (port in use, folder in use, disk error);
5 denied (plaintext beyond loopback); 6 the data folder is damaged, or an old copy (see --rebuild).)";

absl::Status InFlag(std::string_view flag, const absl::Status& wrong) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", flag, std::string(wrong.message())));
}

size_t VotersOf(size_t members) {
  if (members >= kVotersMax) return kVotersMax;
  return std::min<size_t>(members, 3);
}

// What flags alone cannot say. One line.
absl::Status Complete(std::string_view peers, const std::vector<std::string>& dial,
                      Config& config) {
  auto initial_members = ParsePeers(peers);
  if (!initial_members.ok()) return initial_members.status();
  const auto self = std::find_if(initial_members->begin(), initial_members->end(),
                                 [&](const auto& member) { return member.id == config.self; });
  if (self == initial_members->end()) {
    return absl::InvalidArgumentError(
        fmt::format("--peers does not name branch {} itself", config.self.value));
  }
  if (config.listen.empty()) config.listen = self->address;
  // Whoever is being filled does not vote, and without its vote the rest of so few elects nobody.
  if (config.rebuild && initial_members->size() < 3) {
    return absl::InvalidArgumentError(fmt::format(
        "--rebuild: a bank of {} cannot bring back a branch that lost its log; put the files back "
        "as they were when it last stopped",
        initial_members->size()));
  }
  if (config.rebuild && config.replicator == ReplicatorKind::kLamport) {
    return absl::InvalidArgumentError(
        "--rebuild: with --replicator lamport nothing is on disk, and a branch that starts always "
        "takes over what the others hold");
  }
  if (config.driver.heartbeat_ms * 2 > config.driver.election_timeout_ms) {
    return absl::InvalidArgumentError(
        fmt::format("--heartbeat-ms {} must be at most half of --election-timeout-ms {}",
                    config.driver.heartbeat_ms, config.driver.election_timeout_ms));
  }
  for (const auto& [flag, address] :
       {std::pair("--listen", &config.listen), std::pair("--http", &config.http),
        std::pair("--monitor", &config.monitor)}) {
    if (address->empty()) continue;
    if (auto host = net::HostOf(*address); !host.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {}", flag, std::string(host.status().message())));
    }
  }
  if (net::IsAnyPort(config.monitor)) {
    return absl::InvalidArgumentError(
        fmt::format("--monitor: nobody listens at port 0 ('{}')", config.monitor));
  }
  config.driver.self = config.self;
  // Of the election timers. From entropy: equal seeds would give equal timers again and again.
  std::random_device entropy;
  config.driver.seed = uint64_t{entropy()} << 32 | entropy();
  auto addresses = ParseDial(dial, *initial_members, config.self);
  if (!addresses.ok()) return addresses.status();
  config.dial = *std::move(addresses);
  config.driver.initial_members = *std::move(initial_members);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<replication::Member>> ParsePeers(std::string_view peers) {
  auto parsed = net::ParseBranchAddresses(peers, net::Ids::kRequired);
  if (!parsed.ok()) return InFlag("--peers", parsed.status());
  std::vector<replication::Member> members;
  std::set<std::string> addresses;
  for (auto& [id, address] : *parsed) {
    if (!addresses.insert(address).second) {
      return absl::InvalidArgumentError(fmt::format("--peers: {} is named twice", address));
    }
    members.push_back({.id = id, .address = std::move(address), .voter = false});
  }
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  for (size_t i = 0; i < VotersOf(members.size()); ++i) members[i].voter = true;
  return members;
}

absl::StatusOr<std::map<BranchId, std::string>> ParseDial(
    const std::vector<std::string>& dial, const std::vector<replication::Member>& initial_members,
    BranchId self) {
  if (dial.empty()) return std::map<BranchId, std::string>();
  auto parsed = net::ParseBranchAddresses(absl::StrJoin(dial, ","), net::Ids::kRequired);
  if (!parsed.ok()) return InFlag("--dial", parsed.status());
  std::map<BranchId, std::string> addresses;
  for (auto& [id, address] : *parsed) {
    const bool other = id != self && std::any_of(initial_members.begin(), initial_members.end(),
                                                 [&](const auto& m) { return m.id == id; });
    if (!other) {
      return absl::InvalidArgumentError(
          fmt::format("--dial: branch {} is none of the others in --peers", id.value));
    }
    addresses.emplace(id, std::move(address));
  }
  return addresses;
}

uint64_t BankNumber(const std::vector<replication::Member>& initial_members,
                    int64_t initial_balance, ReplicatorKind replicator) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.String("bank");
  for (const replication::Member& member : initial_members) {
    writer.U64(member.id.value);
    writer.U8(member.voter ? 1 : 0);
  }
  writer.U64(static_cast<uint64_t>(initial_balance));
  if (replicator == ReplicatorKind::kLamport) writer.String("lamport");
  const uint64_t number = XXH3_64bits(bytes.data(), bytes.size());
  return number == 0 ? 1 : number;
}

Parsed ParseConfig(int argc, const char* const* argv) {
  FlagSet flags(
      "One branch of a replicated bank: a gRPC server whose ledger equals that of all others.",
      "branch");
  flags.SetFooter(kExamples);
  Config config;
  std::string peers;
  std::vector<std::string> dial;
  std::string output = "table";
  std::string replicator = "raft";
  replication::DriverOptions& driver = config.driver;

  flags.Add("--id", config.self.value, "this branch's number")
      .Required()
      .Between(uint64_t{1}, kBranchIdMax);
  flags.Add("--peers", peers, "all members, this one too: 1=host:port,2=host:port,...").Required();
  flags.Add("--listen", config.listen, "host:port (default: its own in --peers)");
  flags
      .Add("--dial", dial,
           "ID=host:port: reach that branch there, not at its address in --peers (behind a "
           "proxy or NAT); may be repeated")
      .OneValueEach();
  flags.Add("--http", config.http,
            "host:port for the console, /metrics, /livez and /readyz (default: none)");
  flags.Add("--data", config.data, "folder of log and snapshots; made if it is not there")
      .Required()
      .Check([](const std::string& folder) {
        return folder.empty() ? std::string("needs a folder") : std::string();
      });
  flags
      .Add("--initial-balance", config.initial_balance,
           "what the account 'shared' is opened with, in minor units")
      .Between(int64_t{0}, INT64_MAX);
  flags.AddSwitch(
      "--rebuild", config.rebuild,
      "set a damaged log or snapshot aside and fetch everything from the other branches");
  flags
      .Add("--replicator", replicator,
           "how branches agree: raft, or lamport (the exercise's push with logical clocks: all "
           "branches must be up, and no money is on disk)")
      .OneOf({"raft", "lamport"})
      .ShowDefault();
  flags.Add("--log-level", config.log_level, "of the lines on stderr")
      .OneOf({"trace", "debug", "info", "warn", "error", "off"})
      .ShowDefault();
  flags.Add("-w,--write-out", output, "form of the lines on stdout")
      .OneOf({"json", "table"})
      .ShowDefault();

  flags
      .Add("--sampling-interval-ms", config.sampling_interval_ms,
           "how often the branch measures itself and its host")
      .Between(telemetry::SamplerOptions::kIntervalMsMin, telemetry::SamplerOptions::kIntervalMsMax)
      .ShowDefault();

  const char* tuning = "Tuning";
  flags
      .Add("--election-timeout-ms", driver.election_timeout_ms,
           "silence of the leader after which a branch campaigns")
      .Between(50u, 600'000u)
      .ShowDefault()
      .Group(tuning);
  flags.Add("--heartbeat-ms", driver.heartbeat_ms, "a leader is never silent for longer")
      .Between(10u, 60'000u)
      .ShowDefault()
      .Group(tuning);
  flags.Add("--snapshot-every", driver.snapshot_every_entries, "log entries between two snapshots")
      .Between(uint64_t{1}, uint64_t{1} << 40)
      .ShowDefault()
      .Group(tuning);
  flags
      .Add("--trailing", driver.trailing_entries,
           "log entries kept below a snapshot, for branches that are a little behind")
      .Between(uint64_t{driver.inflight_entries_max} + 1, uint64_t{UINT32_MAX})
      .ShowDefault()
      .Group(tuning);
  flags
      .Add("--entries-open", driver.entries_open_max,
           "log entries of the leader that may wait for their commit at a time")
      .Between(1u, 64u)
      .ShowDefault()
      .Group(tuning);
  flags.Add(
      "--monitor", config.monitor,
      "host:port of a server of bank.v1.Monitor that is no branch: this branch also pushes its "
      "metrics there and takes its commands, of the same list");
  // For tests alone, and so in no help: no request can name a program, but a test must be able to.
  std::vector<std::string> diagnostics;
  flags.Add("--diagnostic", diagnostics, "NAME=PROGRAM: run that instead").OneValueEach().Group("");
  net::AddTlsFlags(flags, config.tls);

  if (auto exit_code = flags.Parse(argc, argv)) return {std::nullopt, *exit_code};
  config.json = output == "json";
  if (replicator == "lamport") config.replicator = ReplicatorKind::kLamport;
  for (const std::string& part : diagnostics) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos || part.substr(equals + 1, 1) != "/") {
      std::cerr << "branch: --diagnostic: not NAME=/PROGRAM: " << part << "\n";
      return {std::nullopt, kExitUsage};
    }
    config.diagnostics[part.substr(0, equals)] = {part.substr(equals + 1)};
  }
  if (absl::Status complete = Complete(peers, dial, config); !complete.ok()) {
    std::cerr << "branch: " << complete.message() << "\n";
    return {std::nullopt, kExitBadInput};
  }
  return {std::move(config), kExitOk};
}

}  // namespace bank::node
