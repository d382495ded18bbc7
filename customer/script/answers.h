// Answers: what the customers were told, in the exercise's output format and the report's lines.
//
// Pure. The format is written strictly: keys in the exercise's order, integers only, no blanks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"
#include "course/script.h"

namespace bank::script {

struct Answer {
  Interface interface = Interface::kQuery;
  bool success = false;
  int64_t balance = 0;     // queries: minor units
  SessionId session = {};  // writes: the key
  uint64_t sequence = 0;   // writes: the key's second half
  Position position = {};  // where it stands in the bank's order

  bool operator==(const Answer&) const = default;
};

struct EntryAnswers {
  uint64_t customer = 0;
  std::vector<Answer> answers;  // one per operation, in order
};

// Project 1's output, one element per entry, and an end of line:
// [{"id":1,"recv":[{"interface":"query","balance":400},{"interface":"withdraw","result":"fail"}]}]
std::string FormatOutput(const std::vector<EntryAnswers>& entries);

// Project 3's output since fall 2023: an element per event, with the branch that it went to.
// [{"id":1,"recv":[{"interface":"deposit","branch":3,"result":"success"}]},...]
std::string FormatOutputByEvent(const Script& script, const std::vector<EntryAnswers>& entries);
// The older form: an element per entry, with the balance that its last query saw; entries without a
// query are left out. [{"id":1,"balance":0}]
std::string FormatFinalBalances(const std::vector<EntryAnswers>& entries);

// One answer as the report prints it: "id 1 query True money 400", "id 2 deposit True".
std::string FormatReportLine(uint64_t customer, const Answer& answer);

}  // namespace bank::script
