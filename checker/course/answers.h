// What an output of project 1 or 3 says that customers were told, matched with what the input
// asked.
//
// Elements are matched by their customer, in the order of the file; how a customer's answers are
// divided into elements is a form. Read as forms: `money` for `balance`, results in any spelling,
// balances as 570.0 or "570", elements in any order, an element repeated with more answers each
// time, and a customer's bare id in between. A missing balance is a fault, also where 0 is right.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checker/course/elements.h"
#include "checker/course/grade.h"
#include "course/script.h"

namespace bank::checker::course {

// The answer to one operation.
struct Told {
  bool is_read = false;    // it is there and says what its kind of operation is to say
  bool success = false;    // of deposits and withdrawals
  int64_t balance = 0;     // of queries
  std::string place = {};  // in the output: "element 2, event 1"; "": it is not there
};

struct Answers {
  // As the input has it: of its entries, and of each entry's operations.
  std::vector<std::vector<Told>> told;
  // The older form of project 3: one final balance per entry, and no answers to its operations.
  bool only_final = false;
  std::vector<Told> final_told;
};

// Everything that is wrong about the answers by themselves (missing, too many, misnamed, without a
// value) becomes a fault of `grade`, and each answer that is asked for one of its values, those
// that are read counted as right so far. InvalidArgument: there is nothing in it that could be an
// answer of these projects; one line that begins with `name`.
absl::StatusOr<Answers> MatchAnswers(std::string_view name, const script::Script& script,
                                     const std::vector<script::Json>& elements, bool with_branches,
                                     Grade* grade);

// "customer 2's deposit of 170 (element 2, event 1 of the input)".
std::string DescribeAsked(const script::Script& script, size_t entry, size_t operation);

}  // namespace bank::checker::course
