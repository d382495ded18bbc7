// JepsenHistory: the operations of a Jepsen history (EDN), by independent key.
//
// An event is a map, or a tagged one (#jepsen.history.Op{...}), with :type, :process, :f and
// :value; events stand one after the other, or in one vector or list. Processes that are not
// integers (:nemesis) are skipped. What is read of :f and :value:
//   bank      :transfer {:from a :to b :amount n}, :read {a n, b n, ...}
//   register  :read v, :write v, :cas [old new]; v is nil or any number, keyword or string
//   any of these behind a key, as jepsen.independent writes it: [k v], for cas [k [old new]]
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "checker/edn.h"
#include "checker/operation.h"

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

  std::string Words() const;   // "transfer 5 from 0 to 1"
  std::string Answer() const;  // what a read told
};

class JepsenHistory {
 public:
  // Appends what the file holds. Errors name file and event.
  absl::Status Read(const std::string& path);
  // After the last file. Those that certainly did not happen and reads without answer are there
  // too.
  std::vector<JepsenOperation> Finish();

  bool is_bank() const { return is_bank_; }
  bool is_register() const { return is_register_; }

 private:
  struct Open {
    JepsenOperation operation;
    Edn value;
  };
  absl::Status Take(const Edn& event);
  absl::Status Complete(Open open, const std::string& type, const Edn& value);

  std::map<int64_t, Open> open_;
  std::vector<std::pair<JepsenOperation, Edn>> done_;
  int64_t events_ = 0;
  bool is_independent_ = false;
  bool is_bank_ = false;
  bool is_register_ = false;
};

}  // namespace bank::checker
