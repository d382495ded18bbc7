// bankctl watch: the bank at a glance, redrawn each second: who lives and leads, what is done and
// how fast, whether the branches agree, and what happened last. Fits 80 columns.
#include <fmt/format.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <tuple>

#include "bankctl/commands.h"
#include "bankctl/ledger_agreement.h"
#include "bankctl/metric_reader.h"
#include "bankctl/table.h"
#include "common/exit_code.h"

namespace bank::bankctl {
namespace {

using std::chrono::steady_clock;

constexpr size_t kEventsKept = 100;
constexpr std::chrono::milliseconds kRedraw{1000};

// The newest of one agent.
struct AgentNow {
  v1::MetricUpdate::AgentFrame life;
  std::map<std::string, double> values;  // by "metric{attributes}"

  std::optional<double> Value(const std::string& name) const {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<double> OperationsPerSecond() const {
    const auto reads = Value("bank.operations.rate{kind=read}");
    const auto writes = Value("bank.operations.rate{kind=write}");
    if (!reads && !writes) return std::nullopt;
    return reads.value_or(0) + writes.value_or(0);
  }
  std::optional<double> P99() const { return Value("bank.request.duration{quantile=0.99}"); }
  std::optional<double> P50() const { return Value("bank.request.duration{quantile=0.5}"); }
  std::optional<double> Lag() const { return Value("bank.raft.lag"); }
  std::optional<double> Cpu() const { return Value("system.cpu.utilization"); }
  std::optional<double> Memory() const { return Value("system.memory.utilization"); }
  bool is_branch() const { return life.agent().branch() != 0; }
  bool live() const { return life.life().state() == v1::MetricUpdate::Life::LIVE; }
  const v1::BranchStatus& status() const { return life.frame().status(); }
};

struct View {
  std::map<std::pair<uint32_t, std::string>, AgentNow> agents;  // others than branches last
  std::deque<v1::Event> events;
  std::set<std::tuple<std::string, uint64_t, uint64_t>> known;
  LedgerAgreement agreement;

  static std::pair<uint32_t, std::string> Key(const v1::Agent& agent) {
    return {agent.branch() == 0 ? UINT32_MAX : agent.branch(), agent.agent()};
  }
  void Add(MetricReader::Update update) {
    for (const Sample& sample : update.samples) {
      const std::string attributes = AttributesOf(*sample.series);
      agents[Key(sample.agent)]
          .values[attributes.empty() ? sample.series->metric()
                                     : sample.series->metric() + "{" + attributes + "}"] =
          sample.value;
    }
    for (auto& life : update.lives) {
      AgentNow& agent = agents[Key(life.agent())];
      agent.life = std::move(life);
      if (agent.is_branch() && agent.live()) agreement.Note(agent.status());
    }
    for (v1::Event& event : update.events) {
      if (known.emplace(event.agent(), event.incarnation(), event.number()).second) {
        events.push_back(std::move(event));
      }
    }
    std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) {
      return a.time_unix_nanos() < b.time_unix_nanos();
    });
    while (events.size() > kEventsKept) events.pop_front();
  }
};

// What is said of the live branches' ledgers in one word, and the newest write.
struct Ledgers {
  std::string_view word = "unknown";
  uint64_t position = 0;
  int64_t total = 0;
};

Ledgers LedgersOf(const View& view) {
  Ledgers ledgers;
  std::vector<BranchId> live;
  for (const auto& [key, agent] : view.agents) {
    if (!agent.is_branch() || !agent.live()) continue;
    live.emplace_back(agent.status().branch());
    if (agent.status().position() >= ledgers.position) {
      ledgers.position = agent.status().position();
      ledgers.total = agent.status().balance_total();
    }
  }
  switch (view.agreement.Judge(live, live.size()).state) {
    case AgreementState::kHolds:
    case AgreementState::kPartial:
      ledgers.word = "equal";
      break;
    case AgreementState::kBroken:
      ledgers.word = "DIFFERENT";
      break;
    case AgreementState::kUnknown:
      if (!live.empty()) ledgers.word = "moving";  // not yet seen at one entry
      break;
  }
  return ledgers;
}

std::string Cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.{}f}", *value, *value >= 100 ? 0 : 1) : "-";
}

struct Screen {
  int columns = 80;
  int rows = 24;
};

Screen ScreenNow() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

void Draw(const View& view, const std::string& address, const std::string& fault) {
  const Screen screen = ScreenNow();
  std::vector<std::string> lines;
  std::string leader = "nobody leads";
  size_t branches = 0;
  size_t live = 0;
  for (const auto& [key, agent] : view.agents) {
    if (!agent.is_branch()) continue;
    ++branches;
    if (!agent.live()) continue;
    ++live;
    if (agent.status().role() == "leader") {
      leader = fmt::format("{} leads, term {}", agent.life.agent().agent(), agent.status().term());
    }
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  lines.push_back(fmt::format("{} of {} branches live, {}   {}   by {}", live, branches, leader,
                              LocalTime(std::chrono::nanoseconds(now).count()), address));
  const Ledgers ledgers = LedgersOf(view);
  lines.push_back(fmt::format("money {}, write {}, ledgers {}{}", ledgers.total, ledgers.position,
                              ledgers.word, fault.empty() ? "" : "   (no answer: " + fault + ")"));
  lines.emplace_back();
  lines.push_back(fmt::format("{:<10} {:<7} {:<9} {:<5} {:>9} {:>6} {:>8} {:>7} {:>4} {:>4}",
                              "BRANCH", "STATE", "ROLE", "READY", "WRITE", "BEHIND", "OPS/S",
                              "P99 MS", "CPU%", "MEM%"));
  for (const auto& [key, agent] : view.agents) {
    const bool is_branch = agent.is_branch();
    const v1::BranchStatus& status = agent.status();
    const bool told = is_branch && agent.live();
    lines.push_back(fmt::format(
        "{:<10.10} {:<7} {:<9} {:<5} {:>9} {:>6} {:>8} {:>7} {:>4} {:>4}", key.second,
        WordOf(agent.life.life().state()), told ? status.role() : "-",
        told ? (status.ready() ? "yes" : "no") : "-",
        is_branch ? std::to_string(status.position()) : "-",
        told && agent.Lag() ? NumberOf(*agent.Lag()) : "-",
        told ? Cell(agent.OperationsPerSecond()) : "-", told ? Cell(agent.P99()) : "-",
        agent.live() ? Cell(agent.Cpu()) : "-", agent.live() ? Cell(agent.Memory()) : "-"));
  }
  lines.emplace_back();
  const int room = screen.rows - static_cast<int>(lines.size()) - 1;
  const size_t shown = std::min(view.events.size(), static_cast<size_t>(std::max(room, 0)));
  for (size_t i = view.events.size() - shown; i < view.events.size(); ++i) {
    const v1::Event& event = view.events[i];
    lines.push_back(fmt::format("{} {:<9} {}", LocalTime(event.time_unix_nanos()),
                                WordOf(event.kind()), event.text()));
  }
  // From the top over what was there, so that nothing flickers.
  std::string frame = "\x1b[H";
  for (size_t i = 0; i < lines.size() && i < static_cast<size_t>(screen.rows); ++i) {
    if (i > 0) frame += "\r\n";
    frame += lines[i].substr(0, static_cast<size_t>(screen.columns)) + "\x1b[K";
  }
  std::cout << frame << "\x1b[J" << std::flush;
}

void PrintJson(const View& view, const std::string& fault) {
  const Ledgers ledgers = LedgersOf(view);
  Json agents = Json::array();
  for (const auto& [key, agent] : view.agents) {
    Json line{{"agent", key.second},
              {"branch", agent.life.agent().branch()},
              {"hostname", agent.life.agent().hostname()},
              {"state", WordOf(agent.life.life().state())}};
    if (agent.is_branch()) {
      line.update(
          Pick(agent.status(), {"role", "term", "ready", "position", "digest=state_digest"}));
    }
    const auto add = [&](const char* name, const std::optional<double>& value) {
      if (value) line[name] = *value;
    };
    add("operations_per_second", agent.OperationsPerSecond());
    add("p50_ms", agent.P50());
    add("p99_ms", agent.P99());
    add("cpu_percent", agent.Cpu());
    add("memory_percent", agent.Memory());
    agents.push_back(std::move(line));
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  Json line{{"time", IsoTime(std::chrono::nanoseconds(now).count())},
            {"ledgers", ledgers.word},
            {"position", ledgers.position},
            {"balance_total", ledgers.total},
            {"agents", std::move(agents)}};
  if (!fault.empty()) line["fault"] = fault;
  std::cout << LineOf(line) << std::flush;
}

// What is seen, filled by a thread that reads and shown by one that draws.
struct Shared {
  absl::Mutex mutex;
  View view ABSL_GUARDED_BY(mutex);
  std::string address ABSL_GUARDED_BY(mutex);
  std::string fault ABSL_GUARDED_BY(mutex);
  bool ended ABSL_GUARDED_BY(mutex) = false;
};

}  // namespace

int Watch(const Context& context) {
  // Blocked before the first thread is made: sigtimedwait() below takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto branches = WholeBank(context);
  if (!branches.ok()) return Fail(branches.status());

  MetricReader reader(*branches, {}, context.timeout);
  Shared shared;
  std::thread reading([&] {
    MetricReader::Update update;
    while (reader.Next(&update)) {
      absl::MutexLock lock(&shared.mutex);
      shared.address = reader.address();
      shared.view.Add(std::move(update));
    }
    absl::MutexLock lock(&shared.mutex);
    shared.fault = reader.fault();
    shared.ended = true;
  });

  const bool screen = context.form == Form::kTable;
  if (screen) std::cout << "\x1b[?1049h\x1b[?25l" << std::flush;  // another screen, no cursor
  bool ended = false;
  int caught = -1;
  timespec pause{0, 300'000'000};  // the first picture comes soon
  while (!ended && caught < 0 && std::cout) {
    caught = sigtimedwait(&signals, nullptr, &pause);
    pause = {kRedraw.count() / 1000, kRedraw.count() % 1000 * 1'000'000};
    if (caught >= 0) break;
    absl::MutexLock lock(&shared.mutex);
    ended = shared.ended;
    if (ended) break;
    if (shared.view.agents.empty()) continue;
    screen ? Draw(shared.view, shared.address, shared.fault) : PrintJson(shared.view, shared.fault);
  }
  if (screen) std::cout << "\x1b[?25h\x1b[?1049l" << std::flush;
  reader.Cancel();
  reading.join();
  if (!ended) return kExitOk;
  std::cerr << "bankctl: " << reader.fault() << "\n";
  return kExitUnavailable;
}

}  // namespace bank::bankctl
