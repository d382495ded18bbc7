#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "checker/history/history_reader.h"
#include "checker/history/line_parser.h"
#include "checker/jepsen/edn.h"
#include "checker/jepsen/jepsen.h"
#include "checker/judge.h"
#include "common/check.h"
#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

using namespace checker;
using nlohmann::ordered_json;

constexpr int64_t kBudgetMs = 20;

// A file in memory, for readers that take paths.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    BANK_CHECK(fd_ >= 0);
    while (!bytes.empty()) {
      const ssize_t wrote = write(fd_, bytes.data(), bytes.size());
      BANK_CHECK(wrote > 0);
      bytes.remove_prefix(static_cast<size_t>(wrote));
    }
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  const int fd_;
};

// --- One line of a history
// ------------------------------------------------------------------------

constexpr std::string_view kTypeNames[] = {"", "header", "invoke", "ok", "fail", "info", "digest"};
constexpr std::string_view kFreshnessNames[] = {"linearizable", "at_least", "local"};

ordered_json JsonOf(const Line& line) {
  ordered_json object = {{"type", kTypeNames[static_cast<size_t>(line.type)]}};
  const auto put = [&](Line::Field field, const char* key, const auto& value) {
    if (line.has(field)) object[key] = value;
  };
  put(Line::kProcess, "process", line.process);
  put(Line::kId, "id", line.id);
  put(Line::kSession, "session", line.session);
  put(Line::kSequence, "sequence", line.sequence);
  put(Line::kOp, "op", OpKindName(line.op));
  put(Line::kAccount, "account", line.account);
  put(Line::kTo, "to", line.to);
  put(Line::kAmount, "amount", line.amount);
  put(Line::kBranch, "branch", line.branch);
  put(Line::kNs, "ns", line.ns);
  put(Line::kResult, "result", AnswerName(line.result));
  put(Line::kBalance, "balance", line.balance);
  put(Line::kIndex, "index", line.index);
  put(Line::kReplayed, "replayed", line.replayed);
  put(Line::kConsistency, "consistency", kFreshnessNames[static_cast<size_t>(line.consistency)]);
  put(Line::kMinimumIndex, "minimum", line.minimum_index);
  return object;
}

// The parser's fast and general ways agree, and a line that is taken is read again as it is
// written.
void RunLine(std::string_view bytes) {
  Line line;
  const absl::Status parsed = ParseLine(bytes, &line);
  const std::string unusual = std::string(bytes) + " ";  // never the fast way
  Line general;
  const absl::Status general_parsed = ParseLine(unusual, &general);
  BANK_CHECK(parsed.ok() == general_parsed.ok()) << parsed << " but generally " << general_parsed;
  if (!parsed.ok()) return CheckRefusal(parsed);
  const std::string text = JsonOf(line).dump();
  BANK_CHECK(text == JsonOf(general).dump()) << text << "\n" << JsonOf(general).dump();
  Line again;
  const absl::Status reread = ParseLine(text, &again);
  BANK_CHECK(reread.ok()) << reread << ": " << text;
  BANK_CHECK(JsonOf(again).dump() == text) << JsonOf(again).dump() << "\n" << text;
}

// --- A history file
// -------------------------------------------------------------------------------

// What a file said.
struct History {
  AccountNames names;
  InitialState initial;
  std::vector<Digest> digests;
  std::vector<Operation> operations;
};

absl::Status ReadHistory(const std::string& path, History* history) {
  const auto inputs = OpenInputs({path});
  if (!inputs.ok()) return inputs.status();
  HistoryReader reader(*inputs, &history->names);
  if (absl::Status opened = reader.Open(); !opened.ok()) return opened;
  for (Operation op; reader.Next(&op);) history->operations.push_back(op);
  history->initial = reader.initial();
  history->digests = reader.digests();
  return reader.status();
}

ordered_json JsonOf(const Operation& op, const AccountNames& names, bool completion) {
  ordered_json line = {{"type", "invoke"},
                       {"process", op.process},
                       {"id", op.id},
                       {"session", op.session},
                       {"sequence", op.sequence},
                       {"op", OpKindName(op.kind)},
                       {"account", names.name(op.account)},
                       {"amount", op.amount},
                       {"branch", op.branch},
                       {"consistency", kFreshnessNames[static_cast<size_t>(op.freshness)]},
                       {"minimum", op.minimum_index},
                       {"ns", op.invoke_ns}};
  if (op.to != kNoAccount) line["to"] = names.name(op.to);
  if (!completion) return line;
  if (op.fate == Fate::kInfo) {
    line["type"] = "info";
    return line;
  }
  line["ns"] = op.return_ns;
  line["type"] = op.fate == Fate::kOk ? "ok" : "fail";
  if (op.fate == Fate::kFail) return line;
  line["result"] = AnswerName(op.answer);
  line["replayed"] = op.replayed;
  if (op.has_balance) line["balance"] = op.balance;
  if (op.has_index) line["index"] = op.index;
  return line;
}

// Lines, each on its own, that say the same.
std::string WriteHistory(const History& history) {
  std::string text;
  const auto put = [&](const ordered_json& line) { text += line.dump() + "\n"; };
  ordered_json header = {{"type", "header"}, {"version", 1}};
  header["accounts_max"] = history.initial.accounts_max;
  if (history.initial.given) {
    header["initial"] = ordered_json::object();
    for (const auto& [account, balance] : history.initial.balances) {
      header["initial"][history.names.name(account)] = balance;
    }
  }
  put(header);
  std::set<std::pair<uint64_t, uint64_t>> given_up;
  for (const Operation& op : history.operations) {
    // One that was given up before comes a second time, resolved.
    if (given_up.erase({op.process, op.id}) == 0) put(JsonOf(op, history.names, false));
    if (op.fate == Fate::kInfo) given_up.insert({op.process, op.id});
    put(JsonOf(op, history.names, true));
  }
  for (const Digest& digest : history.digests) {
    ordered_json line = {{"type", "digest"},
                         {"branch", digest.branch},
                         {"log_index", digest.log_index},
                         {"state", digest.state},
                         {"history", digest.history}};
    if (digest.accounts >= 0) line["accounts"] = digest.accounts;
    if (digest.has_balance_total) line["balance_total"] = digest.balance_total;
    put(line);
  }
  return text;
}

// A history that is taken is read again as it is written.
void RunHistory(std::string_view bytes) {
  const MemoryFile file(bytes);
  History history;
  const absl::Status read = ReadHistory(file.path(), &history);
  if (!read.ok()) return CheckRefusal(read, file.path() + ":");
  const std::string text = WriteHistory(history);
  const MemoryFile written(text);
  History again;
  const absl::Status reread = ReadHistory(written.path(), &again);
  BANK_CHECK(reread.ok()) << reread << ":\n" << text;
  BANK_CHECK(WriteHistory(again) == text) << WriteHistory(again) << "\n" << text;
}

// The judge ends with some verdict, and what it says stands on one line each.
void CheckJudgement(const absl::StatusOr<Judgement>& judgement, const std::string& path) {
  if (!judgement.ok()) return CheckRefusal(judgement.status(), path + ":");
  BANK_CHECK((judgement->verdict == Verdict::kInconsistent) == !judgement->violations.empty());
  BANK_CHECK((judgement->verdict == Verdict::kUndecided) == !judgement->undecided_because.empty());
}

void RunJudge(std::string_view bytes) {
  const MemoryFile file(bytes);
  JudgeOptions options;
  options.histories = {file.path()};
  options.budget_ms = kBudgetMs;
  CheckJudgement(JudgeHistory(options), file.path());
}

// --- Jepsen's histories
// ---------------------------------------------------------------------------

void WriteEdn(const Edn& value, std::string* text) {
  const auto items = [&](char open, char close) {
    *text += open;
    for (const Edn& item : value.items) WriteEdn(item, text);
    *text += close;
  };
  switch (value.type) {
    case Edn::Type::kNil:
      *text += "nil";
      break;
    case Edn::Type::kBool:
      *text += value.integer != 0 ? "true" : "false";
      break;
    case Edn::Type::kInteger:
      *text += std::to_string(value.integer);
      break;
    case Edn::Type::kOther:
      *text += value.text;
      break;
    case Edn::Type::kString:
      *text += '"';
      for (const char c : value.text) {
        if (c == '"' || c == '\\') *text += '\\';
        *text += c;
      }
      *text += '"';
      break;
    case Edn::Type::kKeyword:
      *text += ':' + value.text;
      break;
    case Edn::Type::kVector:
      items('[', ']');
      break;
    case Edn::Type::kMap:
      items('{', '}');
      break;
  }
  *text += ' ';
}

std::string WriteEdn(const std::vector<Edn>& values) {
  std::string text;
  for (const Edn& value : values) {
    WriteEdn(value, &text);
    text += '\n';
  }
  return text;
}

// Values that are taken are read again as they are written.
void RunEdn(std::string_view bytes) {
  const absl::StatusOr<std::vector<Edn>> values = ParseEdn(bytes);
  if (!values.ok()) return CheckRefusal(values.status(), "line ");
  const std::string text = WriteEdn(*values);
  const absl::StatusOr<std::vector<Edn>> again = ParseEdn(text);
  BANK_CHECK(again.ok()) << again.status() << ": " << text;
  BANK_CHECK(WriteEdn(*again) == text) << WriteEdn(*again) << "\n" << text;
}

void RunJepsen(std::string_view bytes) {
  const MemoryFile file(bytes);
  CheckJudgement(JudgeJepsen({file.path()}, {.budget_ms = kBudgetMs}), file.path());
}

constexpr FuzzTarget kTargets[] = {{"checker_edn", RunEdn, nullptr},
                                   {"checker_history", RunHistory, nullptr},
                                   {"checker_jepsen", RunJepsen, nullptr},
                                   {"checker_judge", RunJudge, nullptr},
                                   {"checker_line", RunLine, nullptr}};

}  // namespace

std::span<const FuzzTarget> CheckerTargets() { return kTargets; }

}  // namespace bank::fuzz
