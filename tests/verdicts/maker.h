// Makes small histories: of a right bank, then with some of them something changed or left out.
#pragma once

#include <cstdint>

#include "tests/verdicts/story.h"

namespace bank::verdicts {

inline constexpr int kMutations = 36;

struct Made {
  Story story;
  bool is_right = false;  // nothing was falsified, only left out
};

// The same history for the same seed.
Made MakeStory(uint64_t seed);

}  // namespace bank::verdicts
