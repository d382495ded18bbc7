// JepsenHistory: the operations of a Jepsen history (EDN), by independent key.
//
// An event is a map, or a tagged one (#jepsen.history.Op{...}), with :type, :process, :f and
// :value; events stand one after the other, or in one vector or list. Processes named by a keyword
// (:nemesis) are skipped. What is read of :f and :value:
//   bank      :transfer {:from a :to b :amount n}, :read {a n, b n, ...} or, of accounts 0, 1, ...,
//             :read [n n ...]
//   register  :read v, :write v, :cas [old new]; v is nil or any number, keyword or string
//   any of these behind a key, as jepsen.independent writes it: [k v], for cas [k [old new]]
// What was asked stands in the invocation. A completion has the same :f; if it is :ok, its :value
// is the same, too, or nil (but for a read). Whatever says otherwise is refused, never guessed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checker/history/input_file.h"
#include "checker/jepsen/edn.h"
#include "checker/model/operation.h"

namespace bank::checker {

struct JepsenOperation {
  enum class Function : uint8_t { kTransfer, kReadAll, kRead, kWrite, kCas };
  int64_t process = 0;
  Function function = Function::kRead;
  Fate fate = Fate::kInfo;
  std::string key;        // of jepsen.independent; empty if there is none
  int64_t invoke = 0;     // event, from 1
  int64_t over = kNever;  // likewise; kNever: it may or may not have happened
  int64_t invoke_ns = 0;  // :time, if has_time
  int64_t over_ns = kNever;
  bool has_time = false;
  std::string first;   // from; value read or written; expected
  std::string second;  // to; new value
  int64_t amount = 0;
  std::map<std::string, int64_t> balances;  // kReadAll
  std::string wrong;                        // kReadAll: what no bank may answer

  bool SameContent(const JepsenOperation& other) const;
  std::string Words() const;   // "transfer 5 from 0 to 1"
  std::string Answer() const;  // what a read told
};

class JepsenHistory {
 public:
  // Appends what the file holds. Errors name file and event.
  absl::Status Read(InputFile* file);
  // After the last file. Those that certainly did not happen and reads without answer are there
  // too.
  absl::StatusOr<std::vector<JepsenOperation>> Finish();

  bool is_bank() const { return is_bank_; }
  bool is_register() const { return is_register_; }
  // Whether no event has an earlier :time than one before it.
  bool in_time_order() const { return in_time_order_; }

 private:
  struct Call {
    JepsenOperation operation;
    Edn asked;
    Edn told;  // Fate::kOk
  };
  struct File {
    std::string path;
    int64_t first_event = 0;
  };
  absl::Status Take(const Edn& event);
  absl::Status TakeStamps(const Edn& event);
  absl::Status Invoke(int64_t process, const std::string& f, const Edn& event);
  absl::Status Complete(Call call, const Edn& event);
  absl::Status Understand(Call* call, int64_t* event) const;
  absl::Status Refusal(int64_t event, const absl::Status& why) const;
  // No invocation names a key or a change, and every read shows the whole bank.
  bool IsReadOnlyBank() const {
    return !is_independent_ && !has_transfers_ && !has_writes_ && !reads_scalars_;
  }

  std::vector<File> files_;
  std::map<int64_t, Call> open_;
  std::vector<Call> done_;
  int64_t events_ = 0;
  int64_t last_index_ = 0;
  int64_t last_time_ = 0;
  bool has_index_ = false;
  bool has_time_ = false;
  bool in_time_order_ = true;
  bool is_independent_ = false;
  bool reads_pairs_ = false;
  bool reads_scalars_ = false;
  bool has_transfers_ = false;
  bool has_writes_ = false;
  bool is_bank_ = false;
  bool is_register_ = false;
};

// The same operations with their events numbered by :time. None if not all have one, or if one
// ends before it begins.
std::optional<std::vector<JepsenOperation>> InTimeOrder(std::vector<JepsenOperation> operations);

// A scalar as it is written; false for collections.
bool ScalarText(const Edn& value, std::string* text);

}  // namespace bank::checker
