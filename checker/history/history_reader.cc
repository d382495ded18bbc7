#include "checker/history/history_reader.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/one_line.h"
#include "nlohmann/json.hpp"

namespace bank::checker {
namespace {

constexpr size_t kReasonBytesMax = 400;

// Whether a JSON integer is an int64.
bool FitsSigned(const nlohmann::json& value) {
  return value.is_number_integer() &&
         (!value.is_number_unsigned() ||
          value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
}

}  // namespace

struct HistoryReader::Source {
  explicit Source(std::shared_ptr<InputFile> input) : lines(std::move(input)) {}
  FileLines lines;
  Line line;  // the next one, parsed
  bool has_line = false;
  bool has_header = false;
};

HistoryReader::HistoryReader(InputFiles inputs, AccountNames* names)
    : inputs_(std::move(inputs)), names_(names) {}
HistoryReader::~HistoryReader() = default;

absl::Status HistoryReader::Open() {
  for (const std::shared_ptr<InputFile>& input : inputs_) {
    sources_.push_back(std::make_unique<Source>(input));
  }
  for (auto& source : sources_) Advance(source.get());
  return status_;
}

bool HistoryReader::Fail(const Source& source, std::string_view what) {
  if (status_.ok()) {
    status_ = absl::InvalidArgumentError(absl::StrCat(source.lines.path(), ":",
                                                      source.lines.line_number(), ": ",
                                                      OneLine(what, kReasonBytesMax)));
  }
  return false;
}

void HistoryReader::Advance(Source* source) {
  source->has_line = false;
  std::string_view text;
  bool terminated = true;
  while (status_.ok()) {
    if (!source->lines.Next(&text, &terminated)) {
      if (!source->lines.status().ok()) status_ = source->lines.status();
      return;
    }
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    if (text.find_first_not_of(" \t") == std::string_view::npos) continue;
    ++lines_;
    const absl::Status parsed = ParseLine(text, &source->line);
    if (!parsed.ok()) {
      if (!terminated) {  // its writer died while writing it: nothing was promised
        notes_.push_back(absl::StrCat(source->lines.path(), ":", source->lines.line_number(),
                                      ": the torn last line is ignored"));
        return;
      }
      Fail(*source, std::string(parsed.message()));
      return;
    }
    const Line& line = source->line;
    if (line.type == LineType::kHeader) {
      if (std::exchange(source->has_header, true)) {
        Fail(*source, "a second header: two histories in one file; give each its own");
        return;
      }
      ParseHeader(*source, text);
    } else if (line.type == LineType::kDigest) {
      ParseDigest(*source, text);
    } else if (!source->has_header) {
      Fail(*source,
           "no header before it: a history begins with a line of \"type\":\"header\" "
           "(docs/HISTORY.md)");
      return;
    } else {
      const char* missing = !line.has(Line::kProcess) ? "process"
                            : !line.has(Line::kId)    ? "id"
                            : !line.has(Line::kNs)    ? "ns"
                                                      : nullptr;
      if (missing != nullptr) {
        Fail(*source, absl::StrCat("no \"", missing, "\""));
        return;
      }
      source->has_line = true;
      return;
    }
  }
}

void HistoryReader::ParseHeader(const Source& source, std::string_view text) {
  // Of what is written twice the parser would keep the last.
  std::set<std::pair<int, std::string>> keys;  // by depth; those of one object at a time
  std::string twice;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) {
      std::erase_if(keys, [&](const auto& key) { return key.first > depth; });
    } else if (event == Event::key && !keys.emplace(depth, value.get<std::string>()).second) {
      twice = value.get<std::string>();
    }
    return true;
  };
  const nlohmann::json header = nlohmann::json::parse(text, watch, false);
  if (!twice.empty()) {
    Fail(source, absl::StrCat("the key \"", OneLine(twice), "\" stands twice"));
    return;
  }
  if (!header.is_object()) {
    Fail(source, "not a JSON object");
    return;
  }
  if (const auto version = header.find("version");
      version != header.end() && (!version->is_number_integer() || *version != 1)) {
    // What is nested is not shown: it may be as deep as the line is long.
    const std::string shown = version->is_primitive() ? version->dump() : "(no number)";
    Fail(source, absl::StrCat("version ", OneLine(shown), " of the format is not known"));
    return;
  }
  if (const auto limit = header.find("accounts_max"); limit != header.end()) {
    if (!FitsSigned(*limit) || *limit < 0) {
      Fail(source, "\"accounts_max\" must be an integer >= 0");
      return;
    }
    initial_.accounts_max = limit->get<int64_t>();
  }
  const auto found = header.find("initial");
  if (found == header.end()) return;
  if (!found->is_object()) {
    Fail(source, "\"initial\" must be an object of balances");
    return;
  }
  std::vector<std::pair<uint32_t, int64_t>> balances;
  for (const auto& [name, balance] : found->items()) {
    if (!FitsSigned(balance) || balance < 0) {
      Fail(source,
           absl::StrCat("the initial balance of \"", OneLine(name), "\" must be an integer >= 0"));
      return;
    }
    balances.emplace_back(names_->Intern(name), balance.get<int64_t>());
  }
  std::sort(balances.begin(), balances.end());
  if (initial_.given && initial_.balances != balances) {
    Fail(source, "the initial balances differ from those of an earlier header");
    return;
  }
  if (started_ && !initial_.given) {
    Fail(source, "the header with the initial balances must stand before all operations");
    return;
  }
  initial_.given = true;
  initial_.balances = std::move(balances);
}

void HistoryReader::ParseDigest(const Source& source, std::string_view text) {
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object()) {
    Fail(source, "not a JSON object");
    return;
  }
  Digest digest;
  digest.where = absl::StrCat(source.lines.path(), ":", source.lines.line_number());
  for (const char* key : {"branch", "log_index"}) {
    const auto it = object.find(key);
    if (it == object.end() || !it->is_number_unsigned()) {
      Fail(source, absl::StrCat("\"", key, "\" must be an integer >= 0"));
      return;
    }
  }
  digest.branch = object["branch"];
  digest.log_index = object["log_index"];
  if (const auto it = object.find("applied_index"); it != object.end()) {
    if (!it->is_number_unsigned()) {
      Fail(source, "\"applied_index\" must be an integer >= 0");
      return;
    }
    digest.applied_index = it->get<uint64_t>();
  }
  if (digest.log_index > kPositionMax) {
    Fail(source, "\"log_index\" must be at most 2^63-1");
    return;
  }
  for (const char* key : {"state", "history"}) {
    const auto it = object.find(key);
    if (it == object.end()) continue;
    if (!it->is_string() && !it->is_number_unsigned()) {
      Fail(source, absl::StrCat("\"", key, "\" must be a string of hexadecimal digits"));
      return;
    }
    (key[0] == 's' ? digest.state : digest.history) =
        it->is_string() ? it->get<std::string>() : it->dump();
  }
  if (digest.state.empty()) {
    Fail(source, "no \"state\"");
    return;
  }
  for (const char* key : {"accounts", "balance_total"}) {
    const auto it = object.find(key);
    if (it == object.end()) continue;
    if (!FitsSigned(*it)) {
      Fail(source, absl::StrCat("\"", key, "\" must be a 64-bit integer"));
      return;
    }
  }
  if (object.contains("accounts")) digest.accounts = object["accounts"];
  if (object.contains("accounts") && digest.accounts < 0) {
    Fail(source, "\"accounts\" must be an integer >= 0");
    return;
  }
  if (object.contains("balance_total")) {
    digest.balance_total = object["balance_total"];
    digest.has_balance_total = true;
  }
  digests_.push_back(std::move(digest));
}

bool HistoryReader::Invoke(const Source& source) {
  const Line& line = source.line;
  if (!line.has(Line::kOp)) return Fail(source, "no \"op\"");
  Operation op;
  op.process = line.process;
  op.id = line.id;
  op.session = line.has(Line::kSession) ? line.session : 0;
  op.sequence = line.has(Line::kSequence) ? line.sequence : 0;
  op.kind = line.op;
  op.amount = line.has(Line::kAmount) ? line.amount : 0;
  op.invoke_ns = line.ns;
  op.branch = line.has(Line::kBranch) ? static_cast<uint32_t>(line.branch) : 0;
  op.account = names_->Intern(line.has(Line::kAccount) ? line.account : "shared");
  if (op.kind == OpKind::kTransfer) {
    if (!line.has(Line::kTo)) return Fail(source, "a transfer without \"to\"");
    op.to = names_->Intern(line.to);
  }
  if ((op.kind == OpKind::kDeposit || op.kind == OpKind::kWithdraw ||
       op.kind == OpKind::kTransfer) &&
      !line.has(Line::kAmount)) {
    return Fail(source, "no \"amount\"");
  }
  op.freshness = line.consistency;
  op.minimum_index = line.has(Line::kMinimumIndex) ? line.minimum_index : 0;
  const OperationId id{op.process, op.id};
  if (!invoked_.Insert({op.process, op.id})) {
    return Fail(source,
                absl::StrCat("process ", op.process, " invokes operation ", op.id, " twice"));
  }
  open_.emplace(id, op);
  if (disregarded_ == nullptr || !disregarded_->contains(id)) {
    invocations_.emplace_back(op.invoke_ns, id);
  }
  started_ = true;
  return true;
}

bool HistoryReader::Complete(const Source& source, Operation* op) {
  const Line& line = source.line;
  const OperationId id{line.process, line.id};
  const auto open = open_.find(id);
  if (open != open_.end()) {
    *op = open->second;
    open_.erase(open);
  } else {
    const auto earlier = given_up_.find(id);
    if (earlier == given_up_.end() || line.type == LineType::kInfo) {
      return Fail(source, absl::StrCat("process ", line.process, " completes operation ", line.id,
                                       ", which is not open"));
    }
    *op = earlier->second;
    given_up_.erase(earlier);
  }
  const bool differs =
      (line.has(Line::kOp) && line.op != op->kind) ||
      (line.has(Line::kAmount) && line.amount != op->amount) ||
      (line.has(Line::kSession) && line.session != op->session) ||
      (line.has(Line::kSequence) && line.sequence != op->sequence) ||
      (line.has(Line::kConsistency) && line.consistency != op->freshness) ||
      (line.has(Line::kMinimumIndex) && line.minimum_index != op->minimum_index) ||
      (line.has(Line::kAccount) && names_->Intern(line.account) != op->account) ||
      (line.has(Line::kTo) && op->to != kNoAccount && names_->Intern(line.to) != op->to);
  if (differs) {
    return Fail(source, absl::StrCat("the completion of operation ", op->id, " of process ",
                                     op->process, " differs from its invocation"));
  }
  const bool tells_outcome =
      line.has(Line::kIndex) || (line.has(Line::kResult) && TakesPosition(line.result));
  if (line.type != LineType::kOk && tells_outcome) {
    return Fail(source, absl::StrCat("operation ", op->id, " of process ", op->process,
                                     " is given up, but has a result or an \"index\""));
  }
  if (line.ns < op->invoke_ns) {
    return Fail(source, absl::StrCat("operation ", op->id, " of process ", op->process,
                                     " completes before it is invoked"));
  }
  if (line.has(Line::kBranch)) op->branch = static_cast<uint32_t>(line.branch);
  switch (line.type) {
    case LineType::kOk:
      op->fate = Fate::kOk;
      op->return_ns = line.ns;
      op->answer = line.result;
      op->has_balance = line.has(Line::kBalance);
      op->balance = op->has_balance ? line.balance : 0;
      op->has_index = line.has(Line::kIndex);
      op->index = op->has_index ? line.index : 0;
      op->replayed = line.replayed;
      if (op->is_positioned() && op->has_index && op->index == 0) {
        return Fail(source, "the \"index\" of a write must be >= 1");
      }
      break;
    case LineType::kFail:
      op->fate = Fate::kFail;
      op->return_ns = line.ns;
      break;
    default:
      op->fate = Fate::kInfo;
      given_up_.emplace(id, *op);
      break;
  }
  return true;
}

bool HistoryReader::Next(Operation* op) {
  while (status_.ok() && !at_end_) {
    Source* first = nullptr;
    for (const auto& source : sources_) {
      if (source->has_line && (first == nullptr || source->line.ns < first->line.ns)) {
        first = source.get();
      }
    }
    if (first == nullptr) {
      at_end_ = true;
      for (const auto& [id, open] : open_) rest_.push_back(open);
      std::sort(rest_.begin(), rest_.end(), [](const Operation& a, const Operation& b) {
        return std::tie(a.invoke_ns, a.process, a.id) > std::tie(b.invoke_ns, b.process, b.id);
      });
      break;
    }
    if (first->line.type == LineType::kInvoke) {
      if (!Invoke(*first)) return false;
      Advance(first);
    } else {
      if (!Complete(*first, op)) return false;
      Advance(first);
      return status_.ok();
    }
  }
  if (!status_.ok() || rest_.empty()) return false;
  *op = rest_.back();
  rest_.pop_back();
  return true;
}

int64_t HistoryReader::oldest_open_invocation() {
  while (!invocations_.empty() && !open_.contains(invocations_.front().second)) {
    invocations_.pop_front();
  }
  if (!invocations_.empty()) return invocations_.front().first;
  int64_t oldest = kNever;
  for (const auto& source : sources_) {
    if (source->has_line) oldest = std::min(oldest, source->line.ns);
  }
  return oldest;
}

}  // namespace bank::checker
