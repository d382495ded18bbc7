// The writes of an input as project 2 counts them, and which of its withdrawals can have failed.
//
// Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "checker/course/grade.h"
#include "course/script.h"

namespace bank::checker::course {

struct Request {
  size_t entry = 0;
  size_t operation = 0;
  int64_t id = 0;  // the input's; its number in the input, from 1, if it has none
  int64_t customer = 0;
  int64_t home = 0;  // the branch that takes it in
  script::Interface interface = script::Interface::kDeposit;
  int64_t money = 0;
};

// Deposits and withdrawals in the order of the input.
std::vector<Request> RequestsOf(const script::Script& script);

// "customer 1's deposit of 10 (element 1, event 1 of the input)".
std::string DescribeRequest(const script::Script& script, const Request& request);

// What an output says became of a request: it was carried to the other branches, or it was not.
// A withdrawal that was not carried must be one that can have failed, and those that were cannot
// together have taken more than there was. `carried` has one value for each request. What had to be
// propagated for a request and is not counts as values that are not right.
void JudgeRefusals(const script::Script& script, const std::vector<Request>& requests,
                   const std::vector<bool>& carried, const std::function<bool()>& out_of_time,
                   Grade* grade);

}  // namespace bank::checker::course
