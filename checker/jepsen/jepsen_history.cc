#include "checker/jepsen/jepsen_history.h"

#include <algorithm>

#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

constexpr size_t kReadBytes = 1 << 18;

using Function = JepsenOperation::Function;

bool IsPair(const Edn& value) {
  return value.type == Edn::Type::kVector && value.items.size() == 2;
}

// What a write asks for; false if the value does not fit.
bool UnderstandAsked(const Edn& value, JepsenOperation* op) {
  switch (op->function) {
    case Function::kTransfer: {
      const Edn* from = value.Find("from");
      const Edn* to = value.Find("to");
      const Edn* amount = value.Find("amount");
      if (from == nullptr || to == nullptr || amount == nullptr ||
          amount->type != Edn::Type::kInteger) {
        return false;
      }
      op->amount = amount->integer;
      return ScalarText(*from, &op->first) && ScalarText(*to, &op->second);
    }
    case Function::kCas:
      return IsPair(value) && ScalarText(value.items[0], &op->first) &&
             ScalarText(value.items[1], &op->second);
    case Function::kWrite:
      return ScalarText(value, &op->first);
    default:
      return true;
  }
}

// One account of a read of all; false if the balance is none.
bool TakeBalance(std::string account, const Edn& balance, JepsenOperation* op) {
  if (balance.type == Edn::Type::kNil) {
    op->wrong = "account " + account + " has no balance";
    return true;
  }
  if (balance.type != Edn::Type::kInteger) return false;
  if (!op->balances.emplace(account, balance.integer).second) {
    op->wrong = "account " + account + " stands there twice";
  }
  return true;
}

// What a read was told.
bool UnderstandTold(const Edn& value, JepsenOperation* op) {
  if (value.type != Edn::Type::kMap && value.type != Edn::Type::kVector) {
    return ScalarText(value, &op->first);
  }
  op->function = Function::kReadAll;
  if (value.type == Edn::Type::kVector) {
    for (size_t i = 0; i < value.items.size(); ++i) {
      if (!TakeBalance(std::to_string(i), value.items[i], op)) return false;
    }
    return true;
  }
  for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
    std::string account;
    if (!ScalarText(value.items[i], &account)) return false;
    if (!TakeBalance(std::move(account), value.items[i + 1], op)) return false;
  }
  return true;
}

std::string_view FunctionName(Function function) {
  switch (function) {
    case Function::kTransfer:
      return "transfer";
    case Function::kWrite:
      return "write";
    case Function::kCas:
      return "cas";
    default:
      return "read";
  }
}

// Whether a value is such that its first part must be a key.
bool ShowsKey(Function function, const Edn& value) {
  return IsPair(value) && (function != Function::kCas || IsPair(value.items[1]));
}

}  // namespace

bool ScalarText(const Edn& value, std::string* text) {
  switch (value.type) {
    case Edn::Type::kNil:
      *text = "nil";
      return true;
    case Edn::Type::kBool:
      *text = value.integer != 0 ? "true" : "false";
      return true;
    case Edn::Type::kInteger:
      *text = std::to_string(value.integer);
      return true;
    case Edn::Type::kKeyword:
      *text = ":" + value.text;
      return true;
    case Edn::Type::kString:
      *text = "\"" + value.text + "\"";
      return true;
    case Edn::Type::kOther:
      *text = value.text;
      return true;
    default:
      return false;
  }
}

bool JepsenOperation::SameContent(const JepsenOperation& other) const {
  return function == other.function && key == other.key && first == other.first &&
         second == other.second && amount == other.amount;
}

std::string JepsenOperation::Answer() const {
  if (function == Function::kRead) return first;
  if (function != Function::kReadAll) return "";
  std::string out = "{";
  for (const auto& [account, balance] : balances) {
    out += fmt::format("{}{} {}", out.size() == 1 ? "" : ", ", account, balance);
  }
  return out + "}";
}

std::string JepsenOperation::Words() const {
  std::string out = key.empty() ? "" : "[" + key + "] ";
  switch (function) {
    case Function::kTransfer:
      return out + fmt::format("transfer {} from {} to {}", amount, first, second);
    case Function::kReadAll:
    case Function::kRead:
      return out + "read " + Answer();
    case Function::kWrite:
      return out + "write " + first;
    case Function::kCas:
      return out + fmt::format("cas {} to {}", first, second);
  }
  return out;
}

absl::Status JepsenHistory::Refusal(int64_t event, const absl::Status& why) const {
  const auto after = std::find_if(files_.begin(), files_.end(),
                                  [&](const File& file) { return file.first_event > event; });
  const File& file = *std::prev(after);
  return absl::InvalidArgumentError(fmt::format("{}: event {}: {}", file.path,
                                                event - file.first_event + 1,
                                                OneLine(std::string(why.message()))));
}

absl::Status JepsenHistory::Read(InputFile* file) {
  const std::string& path = file->path();
  std::string text;
  for (size_t size = 0;; size = text.size()) {
    text.resize(size + kReadBytes);
    const absl::StatusOr<size_t> got = file->Read(size, text.data() + size, kReadBytes);
    if (!got.ok()) return got.status();
    text.resize(size + *got);
    if (*got == 0) break;
  }
  auto values = ParseEdn(text);
  if (!values.ok()) {
    return absl::InvalidArgumentError(path + ": " + std::string(values.status().message()));
  }
  files_.push_back({path, events_ + 1});
  has_index_ = false;
  const auto take = [&](const Edn& event) {
    ++events_;
    const absl::Status status = Take(event);
    return status.ok() ? status : Refusal(events_, status);
  };
  const auto is_vector = [](const Edn& value) { return value.type == Edn::Type::kVector; };
  if (values->size() > 1 && std::any_of(values->begin(), values->end(), is_vector)) {
    return absl::InvalidArgumentError(path +
                                      ": more follows the vector of the events; give each "
                                      "history its own file");
  }
  for (const Edn& value : *values) {
    if (value.type != Edn::Type::kVector) {
      if (absl::Status status = take(value); !status.ok()) return status;
      continue;
    }
    for (const Edn& event : value.items) {
      if (absl::Status status = take(event); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// The order of the events is the history's order; what they say of it themselves must not differ.
absl::Status JepsenHistory::TakeStamps(const Edn& event) {
  const Edn* index = event.Find("index");
  if (index != nullptr && index->type == Edn::Type::kInteger && index->integer >= 0) {
    if (has_index_ && index->integer <= last_index_) {
      return absl::InvalidArgumentError(
          fmt::format(":index {} after :index {}", index->integer, last_index_));
    }
    last_index_ = index->integer;
    has_index_ = true;
  }
  const Edn* time = event.Find("time");
  if (time != nullptr && time->type == Edn::Type::kInteger) {
    if (has_time_ && time->integer < last_time_) in_time_order_ = false;
    last_time_ = time->integer;
    has_time_ = true;
  }
  return absl::OkStatus();
}

absl::Status JepsenHistory::Take(const Edn& event) {
  const Edn* type = event.Find("type");
  const Edn* process = event.Find("process");
  const Edn* function = event.Find("f");
  if (type == nullptr || process == nullptr) {
    return absl::InvalidArgumentError("not a map with :type and :process");
  }
  if (absl::Status status = TakeStamps(event); !status.ok()) return status;
  if (process->type == Edn::Type::kKeyword) return absl::OkStatus();  // the nemesis
  if (process->type != Edn::Type::kInteger) {
    return absl::InvalidArgumentError("the :process is neither an integer nor a keyword");
  }
  if (type->text == "invoke") {
    if (function == nullptr) return absl::InvalidArgumentError("no :f");
    return Invoke(process->integer, function->text, event);
  }
  const auto found = open_.find(process->integer);
  if (found == open_.end()) {
    return absl::InvalidArgumentError("a completion without an invocation");
  }
  Call call = std::move(found->second);
  open_.erase(found);
  if (function != nullptr && function->text != FunctionName(call.operation.function)) {
    return absl::InvalidArgumentError("the completion has another :f than its invocation");
  }
  if (type->text == "ok") {
    call.operation.fate = Fate::kOk;
  } else if (type->text == "fail") {
    call.operation.fate = Fate::kFail;
  } else if (type->text != "info") {
    return absl::InvalidArgumentError("unknown :type :" + type->text);
  }
  return Complete(std::move(call), event);
}

absl::Status JepsenHistory::Invoke(int64_t process, const std::string& f, const Edn& event) {
  Call call;
  JepsenOperation& op = call.operation;
  op.process = process;
  op.invoke = events_;
  const Edn* time = event.Find("time");
  op.has_time = time != nullptr && time->type == Edn::Type::kInteger;
  if (op.has_time) op.invoke_ns = time->integer;
  if (f == "transfer") {
    op.function = Function::kTransfer;
  } else if (f == "write") {
    op.function = Function::kWrite;
  } else if (f == "cas") {
    op.function = Function::kCas;
  } else if (f != "read") {
    return absl::InvalidArgumentError(":f " + f + " is neither of a bank nor of a register");
  }
  if (const Edn* value = event.Find("value")) call.asked = *value;
  is_independent_ = is_independent_ || ShowsKey(op.function, call.asked);
  has_transfers_ = has_transfers_ || op.function == Function::kTransfer;
  has_writes_ = has_writes_ || op.function == Function::kWrite || op.function == Function::kCas;
  if (!open_.emplace(process, std::move(call)).second) {
    return absl::InvalidArgumentError("the process has an operation open");
  }
  return absl::OkStatus();
}

absl::Status JepsenHistory::Complete(Call call, const Edn& event) {
  JepsenOperation& op = call.operation;
  const Edn* time = event.Find("time");
  const bool timed = time != nullptr && time->type == Edn::Type::kInteger;
  op.over_ns = timed ? time->integer : kNever;
  op.has_time = op.has_time && timed;
  if (op.fate != Fate::kInfo) op.over = events_;
  if (const Edn* value = event.Find("value"); value != nullptr && op.fate == Fate::kOk) {
    call.told = *value;
    if (op.function == Function::kRead) {
      reads_pairs_ = reads_pairs_ || IsPair(call.told);
      reads_scalars_ = reads_scalars_ ||
                       (call.told.type != Edn::Type::kVector && call.told.type != Edn::Type::kMap);
    }
  }
  done_.push_back(std::move(call));
  return absl::OkStatus();
}

// `event` is set to the one that an error is about.
absl::Status JepsenHistory::Understand(Call* call, int64_t* event) const {
  JepsenOperation& op = call->operation;
  *event = op.invoke;
  // Takes the key away, if there must be one.
  const auto content = [&](const Edn& value, std::string* key) -> const Edn* {
    if (!is_independent_) return &value;
    return IsPair(value) && ScalarText(value.items[0], key) ? &value.items[1] : nullptr;
  };
  constexpr const char* kNoKey = "a :value without a key, where other operations have keys";
  const Edn* asked = content(call->asked, &op.key);
  if (asked == nullptr) return absl::InvalidArgumentError(kNoKey);
  if (!UnderstandAsked(*asked, &op)) {
    return absl::InvalidArgumentError("the :value does not fit its :f");
  }
  const bool is_read = op.function == Function::kRead;
  if (op.fate != Fate::kOk || (!is_read && call->told.type == Edn::Type::kNil)) {
    return absl::OkStatus();
  }
  *event = op.over;
  JepsenOperation answered;
  answered.function = op.function;
  const Edn* told = content(call->told, &answered.key);
  if (told == nullptr) return absl::InvalidArgumentError(kNoKey);
  if (is_read && answered.key == op.key) {
    const bool fits = told->type != Edn::Type::kVector || has_transfers_ || IsReadOnlyBank();
    return fits && UnderstandTold(*told, &op)
               ? absl::OkStatus()
               : absl::InvalidArgumentError("the :value does not fit its :f");
  }
  if (!UnderstandAsked(*told, &answered) || !op.SameContent(answered)) {
    return absl::InvalidArgumentError("the completion has another :value than its invocation");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JepsenOperation>> JepsenHistory::Finish() {
  for (auto& [process, call] : open_) done_.push_back(std::move(call));
  open_.clear();
  // A pair read in a bank of two accounts is not a key.
  is_independent_ = is_independent_ || (reads_pairs_ && !has_transfers_ && !IsReadOnlyBank());
  std::vector<JepsenOperation> operations;
  for (Call& call : done_) {
    int64_t event = 0;
    const absl::Status status = Understand(&call, &event);
    if (!status.ok()) return Refusal(event, status);
    JepsenOperation& op = call.operation;
    is_bank_ = is_bank_ || op.function == Function::kTransfer || op.function == Function::kReadAll;
    is_register_ = is_register_ || op.function == Function::kWrite ||
                   op.function == Function::kCas ||
                   (op.function == Function::kRead && op.fate == Fate::kOk);
    operations.push_back(std::move(op));
  }
  done_.clear();
  if (operations.empty()) {
    return absl::InvalidArgumentError(files_.back().path + ": no operation of any client");
  }
  std::sort(operations.begin(), operations.end(),
            [](const JepsenOperation& a, const JepsenOperation& b) { return a.invoke < b.invoke; });
  return operations;
}

std::optional<std::vector<JepsenOperation>> InTimeOrder(std::vector<JepsenOperation> operations) {
  std::map<std::pair<int64_t, int64_t>, int64_t*> events;  // by time, then by place
  for (JepsenOperation& op : operations) {
    if (!op.has_time) return std::nullopt;
    events[{op.invoke_ns, op.invoke}] = &op.invoke;
    if (op.over != kNever) events[{op.over_ns, op.over}] = &op.over;
  }
  int64_t place = 0;
  for (auto& [stamp, event] : events) *event = ++place;
  for (const JepsenOperation& op : operations) {
    if (op.over < op.invoke) return std::nullopt;
  }
  std::sort(operations.begin(), operations.end(),
            [](const JepsenOperation& a, const JepsenOperation& b) { return a.invoke < b.invoke; });
  return operations;
}

}  // namespace bank::checker
