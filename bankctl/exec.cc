#include "bankctl/exec.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "branch/remote_command/catalog.h"
#include "branch/remote_command/stream/convert.h"
#include "common/exit_code.h"
#include "common/one_line.h"

namespace bank::bankctl {
namespace {

// Beyond the command's own deadline: for a new leader to be found, and for the result to come.
constexpr std::chrono::seconds kPatience{15};
constexpr std::chrono::milliseconds kBetweenRounds{200};
constexpr size_t kMessageBytesMax = 1'024;

std::string NewId() {
  std::random_device random;
  return fmt::format("ctl-{:08x}{:08x}{:08x}", random(), random(), random());
}

int ExitCodeOf(const v1::CommandResult& result, bool verifies) {
  switch (result.outcome()) {
    case v1::CommandResult::DONE:
      return kExitOk;
    case v1::CommandResult::REFUSED:
      return kExitDenied;
    case v1::CommandResult::UNKNOWN:
      return kExitUnknown;
    case v1::CommandResult::FAILED:
      return verifies ? kExitInconsistent : kExitFailed;
    default:
      return kExitFailed;
  }
}

// Of several agents the worst counts: what is not known before what is known to be bad.
int Worse(int a, int b) {
  constexpr int kOrder[] = {kExitOk,          kExitFailed,       kExitDenied, kExitBadInput,
                            kExitUnavailable, kExitInconsistent, kExitUnknown};
  const auto rank = [&](int code) { return std::find(kOrder, std::end(kOrder), code); };
  return rank(a) < rank(b) ? b : a;
}

// What an agent prints goes to a terminal: of control characters it may break lines, no more. Bytes
// that are no text are shown as such.
std::string Harmless(std::string_view line) {
  std::string harmless;
  while (!line.empty()) {
    const size_t plain = std::min(line.find_first_of("\t\n"), line.size());
    harmless += OneLine(line.substr(0, plain), std::string::npos);
    harmless += line.substr(plain, 1);
    line.remove_prefix(std::min(plain + 1, line.size()));
  }
  return harmless;
}

// Prints what comes of one command, once, however often it comes.
class Printer {
 public:
  Printer(bool json, bool prefixes, std::string id, const remote_command::Command& command)
      : json_(json),
        prefixes_(prefixes),
        id_(std::move(id)),
        text_(remote_command::Text(command)),
        verifies_(std::holds_alternative<remote_command::VerifyDigest>(command)) {}

  void BeginAttempt() {
    for (auto& [name, agent] : agents_) agent.arriving = 0;
  }

  void Take(const v1::CommandUpdate& update) {
    Agent& agent = agents_[update.agent()];
    if (agent.ended) return;
    if (update.has_output()) {
      std::string_view text = update.output().text();
      const size_t known = agent.output.size() - std::min(agent.output.size(), agent.arriving);
      agent.arriving += text.size();
      text.remove_prefix(std::min(known, text.size()));
      agent.output += text;
      if (!json_) Print(update.agent(), agent, /*all=*/false);
    }
    if (update.has_result()) End(update.agent(), agent, update.result());
  }

  int exit_code() const { return exit_code_; }
  bool heard() const { return !agents_.empty(); }
  bool heard(const std::string& agent) const { return agents_.contains(agent); }
  bool all_ended() const {
    return std::all_of(agents_.begin(), agents_.end(),
                       [](const auto& a) { return a.second.ended; });
  }

 private:
  struct Agent {
    std::string output;
    size_t arriving = 0;
    size_t printed = 0;
    bool ended = false;
  };

  // Whole lines, or all there is.
  void Print(const std::string& name, Agent& agent, bool all) {
    while (agent.printed < agent.output.size()) {
      const size_t newline = agent.output.find('\n', agent.printed);
      if (newline == std::string::npos && !all) break;
      const size_t end = newline == std::string::npos ? agent.output.size() : newline + 1;
      const std::string line =
          Harmless(std::string_view(agent.output).substr(agent.printed, end - agent.printed));
      if (prefixes_) std::cout << name << ": ";
      std::cout << line;
      if (prefixes_ && newline == std::string::npos) std::cout << '\n';
      agent.printed = end;
    }
    std::cout << std::flush;
  }

  void End(const std::string& name, Agent& agent, const v1::CommandResult& result) {
    agent.ended = true;
    exit_code_ = Worse(exit_code_, ExitCodeOf(result, verifies_));
    if (json_) return PrintJson(name, agent, result);
    Print(name, agent, /*all=*/true);
    if (!prefixes_ && !agent.output.empty() && agent.output.back() != '\n') std::cout << '\n';
    const std::string message = OneLine(result.message(), kMessageBytesMax);
    if (result.truncated()) {
      std::cout << fmt::format("{}: [truncated after {} bytes]\n", name, agent.output.size());
    }
    const char* again = result.repeated() ? " (ran before under this id)" : "";
    if (result.outcome() == v1::CommandResult::DONE) {
      if (!message.empty()) std::cout << fmt::format("{}: {}{}\n", name, message, again);
      std::cout << std::flush;
      return;
    }
    std::cout << std::flush;
    std::cerr << fmt::format(
        "bankctl: {}: {}{}{}{}{}\n", name, WordOf(result.outcome()),
        result.exit_status() > 1 ? fmt::format(" (exit status {})", result.exit_status()) : "",
        message.empty() ? "" : ": ", message, again);
  }

  void PrintJson(const std::string& name, const Agent& agent, const v1::CommandResult& result) {
    Json line = {{"id", id_}, {"agent", name}, {"command", text_}};
    line.update(Pick(result, {"outcome", "exit_status", "message", "truncated", "repeated",
                              "started_unix_nanos", "ended_unix_nanos"}));
    line["output"] = agent.output;
    std::cout << LineOf(line) << std::flush;
  }

  const bool json_;
  const bool prefixes_;
  const std::string id_;
  const std::string text_;
  const bool verifies_;
  std::map<std::string, Agent> agents_;
  int exit_code_ = kExitOk;
};

// Waits for Ctrl-C beside the call. Made before any other thread, so that only it sees the signal.
class Interrupt {
 public:
  Interrupt() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  ~Interrupt() {
    ended_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void Watch(std::function<void()> cancel) {
    thread_ = std::thread([this, cancel = std::move(cancel)] {
      bool again = false;
      while (!ended_) {
        const timespec look{.tv_sec = 0, .tv_nsec = 50'000'000};
        if (sigtimedwait(&signals_, nullptr, &look) < 0) continue;
        if (again) _exit(kExitUnknown);
        again = true;
        std::cerr << "bankctl: cancels the command; once more to leave without waiting\n";
        cancel();
      }
    });
  }

 private:
  sigset_t signals_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

void Cancel(std::vector<Branch>& branches, const std::string& id, const std::string& issuer) {
  for (Branch& branch : branches) {
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(3));
    v1::CancelCommandRequest request;
    v1::CancelCommandReply reply;
    request.set_id(id);
    request.set_issuer(issuer);
    if (branch.monitor->CancelCommand(&call, request, &reply).ok()) return;
  }
}

// Nothing is known by such an answer, and the next branch may know more.
bool AskAnother(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED ||
         code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::INTERNAL ||
         code == grpc::StatusCode::DEADLINE_EXCEEDED;
}

// "3" and "branch-3" are a branch, "all" every branch that is connected, "leader" the one that
// leads; other names are foreign agents.
absl::StatusOr<std::vector<std::string>> AgentsOf(const std::string& target,
                                                  std::vector<Branch>& branches,
                                                  Deadline deadline) {
  std::vector<std::string> agents;
  if (target == "all") return agents;
  for (const absl::string_view piece : absl::StrSplit(target, ',')) {
    std::string name(piece);
    const bool number = !name.empty() && std::all_of(name.begin(), name.end(), absl::ascii_isdigit);
    if (number) name = "branch-" + name;
    if (name == "leader") {
      uint32_t leader = 0;
      for (const StatusAnswer& answer : AskStatuses(branches, deadline)) {
        if (leader == 0) leader = answer.branch.leader();
      }
      if (leader == 0) return absl::UnavailableError("nobody says who leads");
      name = fmt::format("branch-{}", leader);
    }
    if (absl::Status good = remote_command::CheckAgentName(name); !good.ok()) return good;
    agents.push_back(std::move(name));
  }
  return agents;
}

bool NamesLeader(const std::string& target) {
  const std::vector<std::string> names = absl::StrSplit(target, ',');
  return std::find(names.begin(), names.end(), "leader") != names.end();
}

// The agents of the bank's branches, connected or not, as the first branch that answers knows them.
absl::StatusOr<std::vector<std::string>> MemberNames(std::vector<Branch>& branches,
                                                     Deadline deadline) {
  for (const StatusAnswer& answer : AskStatuses(branches, deadline)) {
    if (!answer.status.ok()) continue;
    std::vector<std::string> names;
    for (const v1::Member& member : answer.branch.members()) {
      names.push_back(fmt::format("branch-{}", member.branch()));
    }
    return names;
  }
  return absl::UnavailableError("no branch answers");
}

int Refuse(int exit_code, std::string_view message) {
  std::cerr << "bankctl: " << message << "\n";
  return exit_code;
}

}  // namespace

std::string CommandList() {
  std::string list = "\nCommands:\n";
  for (const remote_command::Entry& entry : remote_command::Catalog()) {
    list +=
        fmt::format("  {:<38} {}\n", fmt::format("{} {}", entry.name, entry.arguments), entry.help);
  }
  return list;
}

int Exec(const Context& context, const ExecOptions& options) {
  if (options.words.size() < 2) {
    return Refuse(kExitUsage, "exec needs BRANCH (or 'all') and COMMAND; see exec --help");
  }
  const auto command = remote_command::Parse({options.words.begin() + 1, options.words.end()});
  if (!command.ok()) return Refuse(kExitUsage, std::string(command.status().message()));
  v1::RunCommandRequest request;
  request.set_id(options.id_given ? options.id : NewId());
  request.set_issuer(options.issuer);
  request.set_deadline_ms(static_cast<int64_t>(options.deadline_s * 1000));
  remote_command::ToWire(*command, request.mutable_command());
  absl::Status good = remote_command::CheckId(request.id());
  if (good.ok()) good = remote_command::CheckDeadline(request.deadline_ms());
  if (!good.ok()) return Refuse(kExitUsage, std::string(good.message()));

  if (options.id_given && NamesLeader(options.words[0])) {
    return Refuse(kExitUsage,
                  "--id with 'leader': another branch may lead when it is asked again, and would "
                  "run the command too; name the branch");
  }

  Interrupt interrupt;
  auto branches = WholeBank(context);
  if (!branches.ok()) return Fail(branches.status());
  const auto agents = AgentsOf(options.words[0], *branches, context.DeadlineFromNow());
  if (!agents.ok()) {
    return Refuse(absl::IsUnavailable(agents.status()) ? kExitUnavailable : kExitUsage,
                  std::string(agents.status().message()));
  }
  request.mutable_agent()->Assign(agents->begin(), agents->end());
  std::vector<std::string> expected;  // of "all"
  if (agents->empty()) {
    auto members = MemberNames(*branches, context.DeadlineFromNow());
    if (!members.ok()) {
      return Refuse(kExitUnavailable, std::string(members.status().message()));
    }
    expected = *std::move(members);
  }
  interrupt.Watch([&] { Cancel(*branches, request.id(), request.issuer()); });

  Printer printer(context.json(), agents->size() != 1, request.id(), *command);
  const Deadline give_up = std::chrono::system_clock::now() +
                           std::chrono::milliseconds(request.deadline_ms()) + kPatience;
  bool sent = false;  // by at least one call, perhaps
  for (size_t attempt = 0;; ++attempt) {
    Branch& branch = (*branches)[attempt % branches->size()];
    grpc::ClientContext call;
    call.set_deadline(give_up);
    printer.BeginAttempt();
    const auto stream = branch.monitor->RunCommand(&call, request);
    v1::CommandUpdate update;
    while (stream->Read(&update)) printer.Take(update);
    const grpc::Status status = stream->Finish();
    sent = sent || status.error_message().find("failed to connect") == std::string::npos;
    if (status.ok() && !printer.heard()) return Refuse(kExitUnavailable, "no branch is connected");
    if (status.ok()) {
      int exit_code = printer.exit_code();
      for (const std::string& name : expected) {
        if (printer.heard(name)) continue;
        exit_code = Worse(exit_code, Refuse(kExitUnavailable,
                                            fmt::format("{}: not connected; the command did not "
                                                        "run there",
                                                        name)));
      }
      return exit_code;
    }
    if (!AskAnother(status.error_code())) {
      return Worse(printer.exit_code(), Refuse(ExitCodeOf(status), status.error_message()));
    }
    if (std::chrono::system_clock::now() + kBetweenRounds >= give_up) {
      return Refuse(
          sent ? kExitUnknown : kExitUnavailable,
          fmt::format("{}: {}{}", branch.target.address, status.error_message(),
                      sent ? fmt::format("; ask again: exec {} ... --id {}",
                                         agents->empty() ? "all" : absl::StrJoin(*agents, ","),
                                         request.id())
                           : ""));
    }
    const bool round_done = (attempt + 1) % branches->size() == 0;
    if (round_done && !sent && attempt >= 2 * branches->size()) {
      return Refuse(kExitUnavailable,
                    fmt::format("{}: {}", branch.target.address, status.error_message()));
    }
    if (round_done) AwaitChange(branches->front(), kBetweenRounds);
  }
}

}  // namespace bank::bankctl
