// Grade: what the judge says of one submission, a set of output files that belong together.
//
// Plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/one_line.h"

namespace bank::checker::course {

// One thing that is wrong, in words for who wrote the program.
struct Fault {
  std::string place;                // in the output: "element 2, event 1"; "": not at one place
  std::string what;                 // one sentence
  std::vector<std::string> events;  // that contradict each other, one line each; may be empty
};

enum class Mark { kRight, kWrong, kUndecided };

struct Grade {
  Mark mark = Mark::kRight;
  std::vector<Fault> faults;       // all that were found; kWrong: at least one
  std::vector<std::string> notes;  // what was read leniently
  std::string undecided_because;   // kUndecided: one line
  // Values that the input asks for, and those of them that are there and right.
  size_t values = 0;
  size_t values_right = 0;

  // Words of the output may be in all of them: what is kept is one line each.
  void Add(std::string_view place, std::string_view what, std::vector<std::string> events = {}) {
    constexpr size_t kBytesMax = 1000;
    mark = Mark::kWrong;
    for (std::string& event : events) event = OneLine(event, kBytesMax);
    faults.push_back({OneLine(place, kBytesMax), OneLine(what, kBytesMax), std::move(events)});
  }
  void Undecided(std::string because) {
    if (mark == Mark::kRight) mark = Mark::kUndecided;
    undecided_because = std::move(because);
  }
};

inline const char* MarkName(Mark mark) {
  return mark == Mark::kRight ? "right" : mark == Mark::kWrong ? "wrong" : "undecided";
}

}  // namespace bank::checker::course
