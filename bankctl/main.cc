// bankctl: the operator's tool.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <optional>

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
  CLI::App app("Operates a bank: watches its branches and moves its leadership.", "bankctl");
  app.footer(kExamples);
  app.require_subcommand(1);
  app.fallthrough();

  std::vector<std::string> at = {"localhost:50051"};
  std::string form = "table";
  double timeout_s = 5;
  std::string output = "-";
  uint32_t to = 0;
  Context context;
  app.add_option("--at", at, "[ID=]host:port of a branch, or several, with commas")
      ->capture_default_str();
  app.add_option("-w,--write-out", form, "form of the answer; csv of metrics only")
      ->check(CLI::IsMember({"json", "table", "csv"}))
      ->capture_default_str();
  app.add_option("--timeout", timeout_s, "seconds to wait for answers")
      ->check(CLI::Range(0.001, 86400.0))
      ->capture_default_str();
  net::AddTlsFlags(app, context.tls);

  const auto* status =
      app.add_subcommand("status", "role, term, indexes and digest of each branch");
  const auto* members = app.add_subcommand("members", "who belongs to the bank, and who votes");
  const auto* health = app.add_subcommand("health", "the standard health of each service");
  const auto* wait_ready = app.add_subcommand("wait-ready", "returns when all branches serve");
  const auto* snapshot = app.add_subcommand("snapshot", "takes a snapshot and compacts the log");
  auto* transfer = app.add_subcommand("transfer", "hands leadership over");
  OfOneCall(
      transfer->add_option("--to", to, "the branch that shall lead (0: the most up to date)"));
  auto* digests = app.add_subcommand("digests", "digests of all branches at the newest write");
  OfOneCall(digests->add_option("-o,--output", output, "file for the JSON lines (-: stdout)"))
      ->capture_default_str();
  auto* exec = app.add_subcommand("exec", kExecHelp);
  ExecOptions exec_options;
  exec_options.issuer = UserName();
  exec->add_option("words", exec_options.words, "BRANCH COMMAND [ARGUMENT]")->required();
  auto* id = OfOneCall(exec->add_option(
      "--id", exec_options.id,
      "the command's id: a branch asked again with it does not run it again (default: a new one)"));
  exec->add_option("--deadline", exec_options.deadline_s, "seconds after which it is ended")
      ->check(CLI::Range(0.001, 600.0))
      ->capture_default_str();
  exec->add_option("--issuer", exec_options.issuer, "who asks, for the record")
      ->capture_default_str();
  exec->footer(CommandList());
  uint32_t limit = 100;
  auto* audit = app.add_subcommand("audit", "who ran which command, and how it ended");
  audit->add_option("--limit", limit, "the newest so many")
      ->check(CLI::Range(1u, 10'000u))
      ->capture_default_str();

  auto* metrics = app.add_subcommand("metrics", "what the branches measure, newest or since");
  MetricsOptions metrics_options;
  std::vector<std::string> hostnames, names, agents;
  std::vector<uint32_t> branches;
  std::string since;
  metrics->add_flag("-f,--follow", metrics_options.follow, "go on with what comes");
  metrics->add_option("--hostname", hostnames, "of these hosts; may end in '*'")->delimiter(',');
  metrics->add_option("--metric", names, "these metrics; may end in '*'")->delimiter(',');
  metrics->add_option("--agent", agents, "of these agents; may end in '*'")->delimiter(',');
  metrics->add_option("--branch", branches, "of these branches")->delimiter(',');
  metrics->add_option("--since", since, "how far back, such as 90s, 10m or 1h (default: newest)");
  auto* events = app.add_subcommand("events", "elections, joins, losses, customers, commands");
  EventsOptions events_options;
  events->add_flag("-f,--follow", events_options.follow, "go on with what comes");
  events->add_option("--past", events_options.past, "how many of the past")
      ->check(CLI::Range(0u, 1000u))
      ->capture_default_str();
  const auto* watch = app.add_subcommand("watch", "a live view of the whole bank");

  if (auto exit_code = ParseFlags(app, argc, argv)) return *exit_code;
  auto targets = ParseTargets(at);
  if (!targets.ok()) {
    std::cerr << "bankctl: " << targets.status().message() << "\n";
    return kExitUsage;
  }
  context.targets = *std::move(targets);
  context.json = form == "json";
  context.form = context.json ? Form::kJson : form == "csv" ? Form::kCsv : Form::kTable;
  if (context.form == Form::kCsv && !metrics->parsed()) {
    std::cerr << "bankctl: -w csv is for metrics only\n";
    return kExitUsage;
  }
  context.timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout_s * 1000));

  if (metrics->parsed()) {
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
  if (events->parsed()) return ShowEvents(context, events_options);
  if (watch->parsed()) return Watch(context);
  if (status->parsed()) return ShowStatus(context);
  if (members->parsed()) return ShowMembers(context);
  if (health->parsed()) return ShowHealth(context);
  if (wait_ready->parsed()) return WaitReady(context);
  if (snapshot->parsed()) return TakeSnapshots(context);
  if (transfer->parsed()) return TransferLeadership(context, to);
  if (exec->parsed()) {
    exec_options.id_given = id->count() > 0;
    return Exec(context, exec_options);
  }
  if (audit->parsed()) return ShowAudit(context, limit);
  return CompareDigests(context, output);
}

}  // namespace
}  // namespace bank::bankctl

int main(int argc, char** argv) {
  return bank::RunProgram("bankctl", [&] { return bank::bankctl::Main(argc, argv); });
}
