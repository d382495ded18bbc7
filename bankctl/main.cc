// bankctl: the operator's tool.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>

#include "absl/strings/str_join.h"
#include "bankctl/commands.h"
#include "bankctl/exec.h"
#include "common/decimal.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/one_line.h"
#include "common/program.h"

namespace bank::bankctl {
namespace {

constexpr const char* kExamples = R"(
Examples:
  bankctl status                                  the whole bank, asked through localhost:50051
  bankctl status --at localhost:50052 -w json
  bankctl wait-ready --at 1=localhost:50051,2=localhost:50052 --timeout 60
  bankctl digests --at localhost:50051,localhost:50052 -o digests.jsonl
  bankctl transfer --to 2
  bankctl watch                                   who lives, leads and does what, each second
  bankctl metrics --metric 'system.cpu.*' --since 10m -w csv
  bankctl metrics --follow --branch 2 -w json
  bankctl events --follow
  bankctl exec all uptime
  bankctl exec 2 top-accounts 20
  bankctl exec leader transfer-leadership 3
  bankctl exec 2 take-snapshot --id snapshot-1    once, however often it is asked
  bankctl audit --limit 20

Exit codes: 0 ok; 1 usage; 2 bad input; 3 unavailable; 4 outcome unknown; 5 denied or refused;
6 branches differ, or a digest is wrong; 7 a command failed, was cancelled or ran out of time.
The environment (--at is BANK_AT) and a config file give no ids, targets or outputs.)";

constexpr const char* kExecHelp =
    "runs a command: BRANCH (3, branch-3, leader, all, or an agent's name), COMMAND, its argument";

// Who runs this: by the environment, or else by the effective user's entry, or number.
std::string UserName() {
  if (const char* user = std::getenv("USER"); user != nullptr && *user != '\0') return user;
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : fmt::format("uid {}", geteuid());
}

// '90', '90s', '10m', '1h'.
std::optional<std::chrono::seconds> ParseSpan(std::string_view text) {
  constexpr int64_t kSecondsMax = 366LL * 24 * 3600;
  int64_t unit_s = 1;
  if (text.ends_with('s') || text.ends_with('m') || text.ends_with('h')) {
    unit_s = text.back() == 'h' ? 3600 : text.back() == 'm' ? 60 : 1;
    text.remove_suffix(1);
  }
  const auto number = ParseDecimal<int64_t>(text, 0, kSecondsMax / unit_s);
  if (!number) return std::nullopt;
  return std::chrono::seconds(*number * unit_s);
}

int Main(int argc, const char* const* argv) {
  FlagSet flags("Operates a bank: watches its branches and moves its leadership.", "bankctl");
  flags.SetFooter(kExamples);
  flags.RequireCommand();
  flags.TakeAfterCommands();

  std::vector<std::string> at = {"localhost:50051"};
  std::string form = "table";
  double timeout_s = 5;
  std::string output = "-";
  uint32_t to = 0;
  Context context;
  flags.Add("--at", at, "[ID=]host:port of a branch, or several, with commas").ShowDefault();
  flags.Add("-w,--write-out", form, "form of the answer; csv of metrics only")
      .OneOf({"json", "table", "csv"})
      .ShowDefault();
  flags.Add("--timeout", timeout_s, "seconds to wait for answers")
      .Between(0.001, 86400.0)
      .ShowDefault();
  net::AddTlsFlags(flags, context.tls);

  const FlagSet& status =
      flags.AddCommand("status", "role, term, indexes and digest of each branch");
  const FlagSet& members = flags.AddCommand("members", "who belongs to the bank, and who votes");
  const FlagSet& health = flags.AddCommand("health", "the standard health of each service");
  const FlagSet& wait_ready = flags.AddCommand("wait-ready", "returns when all branches serve");
  const FlagSet& snapshot = flags.AddCommand("snapshot", "takes a snapshot and compacts the log");
  FlagSet& transfer = flags.AddCommand("transfer", "hands leadership over");
  transfer.Add("--to", to, "the branch that shall lead (0: the most up to date)").OfOneCall();
  FlagSet& digests = flags.AddCommand("digests", "digests of all branches at the newest write");
  digests.Add("-o,--output", output, "file for the JSON lines (-: stdout)")
      .OfOneCall()
      .ShowDefault();
  FlagSet& exec = flags.AddCommand("exec", kExecHelp);
  ExecOptions exec_options;
  exec_options.issuer = UserName();
  exec.Add("words", exec_options.words, "BRANCH COMMAND [ARGUMENT]").Required();
  const Flag id =
      exec.Add("--id", exec_options.id,
               "the command's id: a branch asked again with it does not run it again (default: a "
               "new one)")
          .OfOneCall();
  exec.Add("--deadline", exec_options.deadline_s, "seconds after which it is ended")
      .Between(0.001, 600.0)
      .ShowDefault();
  exec.Add("--issuer", exec_options.issuer, "who asks, for the record").ShowDefault();
  exec.SetFooter(CommandList());
  uint32_t limit = 100;
  FlagSet& audit = flags.AddCommand("audit", "who ran which command, and how it ended");
  audit.Add("--limit", limit, "the newest so many").Between(1u, 10'000u).ShowDefault();

  FlagSet& metrics = flags.AddCommand("metrics", "what the branches measure, newest or since");
  MetricsOptions metrics_options;
  std::vector<std::string> hostnames, names, agents;
  std::vector<uint32_t> branches;
  std::string since;
  metrics.AddSwitch("-f,--follow", metrics_options.follow, "go on with what comes");
  metrics.Add("--hostname", hostnames, "of these hosts; may end in '*'").SplitAt(',');
  metrics.Add("--metric", names, "these metrics; may end in '*'").SplitAt(',');
  metrics.Add("--agent", agents, "of these agents; may end in '*'").SplitAt(',');
  metrics.Add("--branch", branches, "of these branches").SplitAt(',');
  metrics.Add("--since", since, "how far back, such as 90s, 10m or 1h (default: newest)");
  FlagSet& events = flags.AddCommand("events", "elections, joins, losses, customers, commands");
  EventsOptions events_options;
  events.AddSwitch("-f,--follow", events_options.follow, "go on with what comes");
  events.Add("--past", events_options.past, "how many of the past")
      .Between(0u, 1000u)
      .ShowDefault();
  const FlagSet& watch = flags.AddCommand("watch", "a live view of the whole bank");

  if (auto exit_code = flags.Parse(argc, argv)) return *exit_code;
  auto targets = net::ParseBranchAddresses(absl::StrJoin(at, ","), net::Ids::kOptional);
  if (!targets.ok()) {
    std::cerr << "bankctl: --at: " << targets.status().message() << "\n";
    return kExitUsage;
  }
  context.targets = *std::move(targets);
  context.form = form == "json" ? Form::kJson : form == "csv" ? Form::kCsv : Form::kTable;
  if (context.form == Form::kCsv && !metrics.called()) {
    std::cerr << "bankctl: -w csv is for metrics only\n";
    return kExitUsage;
  }
  context.timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout_s * 1000));

  if (metrics.called()) {
    v1::StreamMetricsRequest& request = metrics_options.request;
    request.mutable_hostname()->Assign(hostnames.begin(), hostnames.end());
    request.mutable_metric()->Assign(names.begin(), names.end());
    request.mutable_agent()->Assign(agents.begin(), agents.end());
    request.mutable_branch()->Assign(branches.begin(), branches.end());
    if (!since.empty()) {
      const auto span = ParseSpan(since);
      if (!span) {
        std::cerr << "bankctl: --since: '" << OneLine(since) << "' is not such as 90s, 10m or 1h\n";
        return kExitUsage;
      }
      metrics_options.since = *span;
    }
    return ShowMetrics(context, metrics_options);
  }
  if (events.called()) return ShowEvents(context, events_options);
  if (watch.called()) return Watch(context);
  if (status.called()) return ShowStatus(context);
  if (members.called()) return ShowMembers(context);
  if (health.called()) return ShowHealth(context);
  if (wait_ready.called()) return WaitReady(context);
  if (snapshot.called()) return TakeSnapshots(context);
  if (transfer.called()) return TransferLeadership(context, to);
  if (exec.called()) {
    exec_options.id_given = id.given();
    return Exec(context, exec_options);
  }
  if (audit.called()) return ShowAudit(context, limit);
  return CompareDigests(context, output);
}

}  // namespace
}  // namespace bank::bankctl

int main(int argc, char** argv) {
  return bank::RunProgram("bankctl", [&] { return bank::bankctl::Main(argc, argv); });
}
