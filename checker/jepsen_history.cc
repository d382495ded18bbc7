#include "checker/jepsen_history.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

using Function = JepsenOperation::Function;

bool IsPair(const Edn& value) {
  return value.type == Edn::Type::kVector && value.items.size() == 2;
}

// A scalar as it is written; false for collections.
bool Scalar(const Edn& value, std::string* text) {
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

bool Understand(const Edn& value, JepsenOperation* op) {
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
      return Scalar(*from, &op->first) && Scalar(*to, &op->second);
    }
    case Function::kCas:
      return IsPair(value) && Scalar(value.items[0], &op->first) &&
             Scalar(value.items[1], &op->second);
    case Function::kWrite:
      return Scalar(value, &op->first);
    default:
      break;
  }
  if (op->fate != Fate::kOk) return true;  // of a read without answer the value says nothing
  if (value.type != Edn::Type::kMap) return Scalar(value, &op->first);
  op->function = Function::kReadAll;
  for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
    std::string account;
    if (!Scalar(value.items[i], &account)) return false;
    const Edn& balance = value.items[i + 1];
    if (balance.type == Edn::Type::kNil) {
      op->wrong = "account " + account + " has no balance";
      continue;
    }
    if (balance.type != Edn::Type::kInteger) return false;
    if (!op->balances.emplace(account, balance.integer).second) {
      op->wrong = "account " + account + " stands there twice";
    }
    if (balance.integer < 0) op->wrong = "account " + account + " is overdrawn";
  }
  return true;
}

}  // namespace

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

absl::Status JepsenHistory::Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(path + ": cannot be read");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto values = ParseEdn(text);
  if (!values.ok()) {
    return absl::InvalidArgumentError(path + ": " + std::string(values.status().message()));
  }
  const auto take = [&](const Edn& event) {
    ++events_;
    const absl::Status status = Take(event);
    if (status.ok()) return status;
    return absl::InvalidArgumentError(
        fmt::format("{}: event {}: {}", path, events_, OneLine(std::string(status.message()))));
  };
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

absl::Status JepsenHistory::Take(const Edn& event) {
  const Edn* type = event.Find("type");
  const Edn* process = event.Find("process");
  const Edn* function = event.Find("f");
  if (type == nullptr || process == nullptr) {
    return absl::InvalidArgumentError("not a map with :type and :process");
  }
  if (process->type != Edn::Type::kInteger) return absl::OkStatus();  // the nemesis
  if (function == nullptr) return absl::InvalidArgumentError("no :f");
  const Edn nothing;
  const Edn& value = event.Find("value") == nullptr ? nothing : *event.Find("value");
  const Edn* time = event.Find("time");
  const bool timed = time != nullptr && time->type == Edn::Type::kInteger;
  if (type->text == "invoke") {
    Open open;
    JepsenOperation& op = open.operation;
    op.process = process->integer;
    op.invoke = events_;
    op.has_time = timed;
    if (timed) op.invoke_ns = time->integer;
    const std::string& f = function->text;
    if (f == "transfer") {
      op.function = Function::kTransfer;
    } else if (f == "write") {
      op.function = Function::kWrite;
    } else if (f == "cas") {
      op.function = Function::kCas;
    } else if (f != "read") {
      return absl::InvalidArgumentError(":f " + f + " is neither of a bank nor of a register");
    }
    open.value = value;
    if (!open_.emplace(op.process, std::move(open)).second) {
      return absl::InvalidArgumentError("the process has an operation open");
    }
    return absl::OkStatus();
  }
  const auto found = open_.find(process->integer);
  if (found == open_.end()) {
    return absl::InvalidArgumentError("a completion without an invocation");
  }
  Open open = std::move(found->second);
  open_.erase(found);
  open.operation.over_ns = timed ? time->integer : kNever;
  open.operation.has_time = open.operation.has_time && timed;
  return Complete(std::move(open), type->text, value);
}

absl::Status JepsenHistory::Complete(Open open, const std::string& type, const Edn& value) {
  JepsenOperation& op = open.operation;
  if (type == "ok") {
    op.fate = Fate::kOk;
    op.over = events_;
  } else if (type == "fail") {
    op.fate = Fate::kFail;
    op.over = events_;
  } else if (type != "info") {
    return absl::InvalidArgumentError("unknown :type :" + type);
  }
  // What was asked stands in the invocation, what a read told in the completion.
  const bool is_read = op.function == Function::kRead;
  const Edn& told = is_read && op.fate == Fate::kOk ? value : open.value;
  if (is_read && (IsPair(told) || IsPair(open.value))) is_independent_ = true;
  if (op.function == Function::kWrite && IsPair(told)) is_independent_ = true;
  if (op.function == Function::kCas && IsPair(told) && IsPair(told.items[1])) {
    is_independent_ = true;
  }
  if (op.function == Function::kTransfer && IsPair(told)) is_independent_ = true;
  Edn kept = told;
  done_.emplace_back(std::move(op), std::move(kept));
  JepsenOperation& last = done_.back().first;
  JepsenOperation trial = last;
  // Checked here so that an error names the event; a value behind a key is looked at without it.
  const bool keyed = is_independent_ && IsPair(told);
  std::string key;
  if (keyed && !Scalar(told.items[0], &key))
    return absl::InvalidArgumentError("a key of what kind?");
  const bool plain_cas = trial.function == Function::kCas && keyed && !IsPair(told.items[1]);
  if (plain_cas || !Understand(keyed ? told.items[1] : told, &trial)) {
    return absl::InvalidArgumentError("the :value does not fit its :f");
  }
  return absl::OkStatus();
}

std::vector<JepsenOperation> JepsenHistory::Finish() {
  for (auto& [process, open] : open_) done_.emplace_back(open.operation, open.value);
  open_.clear();
  std::vector<JepsenOperation> operations;
  for (auto& [op, value] : done_) {
    const Edn* own = &value;
    if (is_independent_ && IsPair(value)) {
      Scalar(value.items[0], &op.key);
      own = &value.items[1];
    }
    if (!Understand(*own, &op)) continue;  // never answered, and what was asked is not known
    const bool bank = op.function == Function::kTransfer || op.function == Function::kReadAll;
    is_bank_ = is_bank_ || bank;
    is_register_ = is_register_ || op.function == Function::kWrite ||
                   op.function == Function::kCas ||
                   (op.function == Function::kRead && op.fate == Fate::kOk);
    operations.push_back(std::move(op));
  }
  std::sort(operations.begin(), operations.end(),
            [](const JepsenOperation& a, const JepsenOperation& b) { return a.invoke < b.invoke; });
  return operations;
}

}  // namespace bank::checker
