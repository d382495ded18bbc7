// Scripts with recorded answers: text files of blocks; each block is lines of input, a line `----`,
// the recorded output, and an empty line. Lines that begin with `#` are comments.
//
// A program checks its folder of them, or records anew what is answered now (`--rewrite`); the diff
// is to be reviewed like code.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"

namespace bank::datadriven {

inline bool rewrite = false;

// What a block's lines are answered with: whole lines.
using Answer = std::function<std::string(const std::vector<std::string>& input)>;

inline std::string Record(const std::string& text, const Answer& answer) {
  std::string recorded;
  std::vector<std::string> input;
  bool in_output = false;
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  for (const std::string& line : lines) {
    if (in_output && !line.empty()) continue;  // old output
    in_output = false;
    recorded += line + "\n";
    if (line == "----") {
      recorded += answer(input);
      input.clear();
      in_output = true;
    } else if (!line.empty() && line[0] != '#') {
      input.push_back(line);
    }
  }
  EXPECT_TRUE(input.empty()) << "lines without a line of ----";
  recorded.pop_back();
  return recorded;
}

// The scripts of a folder below tests/datadriven, sorted.
inline std::vector<std::string> ScriptPaths(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& file :
       std::filesystem::directory_iterator(BANK_SOURCE_DIR "/tests/datadriven/" + folder)) {
    if (file.path().extension() == ".txt" && file.path().stem() != "CMakeLists") {
      paths.push_back(file.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

inline std::string ScriptName(const testing::TestParamInfo<std::string>& path) {
  return std::filesystem::path(path.param).stem().string();
}

// Compares the script with what is answered now, or records that.
inline void Check(const std::string& path, const Answer& answer) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  const std::string recorded = Record(text.str(), answer);
  if (rewrite) {
    std::ofstream(path) << recorded;
  } else {
    EXPECT_EQ(text.str(), recorded) << "if the change is meant: run this program with --rewrite";
  }
}

inline int Main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--rewrite") rewrite = true;
  }
  return RUN_ALL_TESTS();
}

}  // namespace bank::datadriven
