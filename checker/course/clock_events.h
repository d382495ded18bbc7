// The events of an output of project 2, in either form, as the judge compares them.
//
// Since 2023: {"customer-request-id", "logical_clock", "interface", "comment"} in three parts: by
// customer, by branch, and a flat list with `id` and `type`. From 2021 to 2023: blocks by branch
// ("pid", "data") and by write ("eventid", "data") of sub-events. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checker/course/elements.h"
#include "checker/course/grade.h"
#include "course/script.h"

namespace bank::checker::course {

// A file of a submission, already split into its elements.
struct OutputFile {
  std::string name;  // in places, if the submission has several files
  std::vector<script::Json> elements;
};

struct Process {
  bool is_branch = false;
  int64_t id = 0;

  auto operator<=>(const Process&) const = default;
};

std::string ProcessName(Process process);  // "branch 2"

// One send or receive. `place` does not take part in comparisons.
struct ClockEvent {
  Process process = {};
  int64_t request = 0;
  script::Interface interface = script::Interface::kDeposit;
  bool propagated = false;
  bool sent = false;
  Process partner = {};  // a sent customer event names the customer itself
  int64_t clock = 0;
  std::string place = {};
  bool is_faulty = false;  // some fault names it
};

// "branch 2 receives the propagated deposit of request 1 from branch 1 at clock 5".
std::string DescribeEvent(const ClockEvent& event);

// What the sub-events of 2021 are called.
enum class SubEvent {
  kRequest,
  kExecute,
  kPropagateRequest,
  kPropagateExecute,
  kPropagateResponse,
  kResponse
};

struct BlockEvent {
  int64_t pid = 0;    // of a block by branch; 0: it stands in a block by write
  int64_t event = 0;  // the write's id
  script::Interface interface = script::Interface::kDeposit;
  SubEvent kind = SubEvent::kRequest;
  int64_t clock = 0;
  std::string place = {};
};

std::string DescribeEvent(const BlockEvent& event);

struct ClockOutput {
  bool blocks = false;  // the form of 2021
  // Since 2023. By process, in the order of the list; the same process may have several elements.
  std::vector<ClockEvent> by_process;
  std::vector<ClockEvent> flat;
  bool has_customers = false, has_branches = false, has_flat = false;
  // 2021.
  std::vector<BlockEvent> by_branch;
  std::vector<BlockEvent> by_write;
};

// Which of the three parts (or two kinds of blocks) a file holds, as bits; 0: none.
inline constexpr unsigned kCustomerPart = 1, kBranchPart = 2, kFlatPart = 4;
unsigned PartsOf(const std::vector<script::Json>& elements);

// What cannot be read of single events becomes a fault. InvalidArgument: nothing in the files is an
// event with a logical clock; one line.
absl::StatusOr<ClockOutput> ReadClockEvents(const std::vector<OutputFile>& files, Grade* grade);

}  // namespace bank::checker::course
