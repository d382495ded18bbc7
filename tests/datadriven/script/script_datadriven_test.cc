// Goal: every form of an input that is accepted or refused, readable side by side with what becomes
// of it. Method: the files *.cases of this folder hold cases: an input, a line `----`, what the
// parser makes of it, an empty line. BANK_REWRITE=1 records what it makes of it now; review the
// difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "course/script.h"

namespace bank::script {
namespace {

namespace fs = std::filesystem;

std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Describe(const std::string& name, const std::string& input) {
  absl::StatusOr<Script> script = ParseScript(name, input);
  if (!script.ok()) return "refused: " + std::string(script.status().message()) + "\n";
  std::ostringstream out;
  out << "branches";
  for (BranchId branch : script->branches) out << " " << branch.value;
  out << ", balance " << script->balance << "\n";
  for (const Entry& entry : script->entries) {
    out << "customer " << entry.customer << ":";
    size_t number = 0;
    for (const Operation& operation : entry.operations) {
      if (number++ == entry.CountBeforeFinalQueries()) out << " |";
      out << " " << InterfaceName(operation.interface);
      if (operation.interface != Interface::kQuery) out << " " << operation.money;
      out << "@" << operation.branch.value;
    }
    out << "\n";
  }
  return out.str();
}

struct Case {
  std::string input;
  std::string expected;
};

std::vector<Case> Split(const std::string& text) {
  std::vector<Case> cases;
  std::istringstream lines(text);
  std::string line;
  bool in_expected = false;
  Case current;
  while (std::getline(lines, line)) {
    if (line == "----") {
      in_expected = true;
    } else if (in_expected && line.empty()) {
      cases.push_back(std::move(current));
      current = {};
      in_expected = false;
    } else {
      (in_expected ? current.expected : current.input) += line + "\n";
    }
  }
  if (in_expected) cases.push_back(std::move(current));
  return cases;
}

TEST(ScriptDatadriven, Recorded) {
  const bool rewrite = std::getenv("BANK_REWRITE") != nullptr;
  size_t files = 0;
  for (const auto& item : fs::directory_iterator(BANK_SOURCE_DIR "/tests/datadriven/script")) {
    if (item.path().extension() != ".cases") continue;
    ++files;
    std::string rewritten;
    for (const Case& test : Split(Read(item.path()))) {
      const std::string actual = Describe("in.json", test.input);
      if (!rewrite) {
        EXPECT_EQ(test.expected, actual) << test.input;
      }
      rewritten += test.input + "----\n" + actual + "\n";
    }
    if (rewrite) std::ofstream(item.path(), std::ios::binary) << rewritten;
  }
  EXPECT_GE(files, 2U);
}

// Windows' editors and PowerShell's `>` write such files.
TEST(ScriptDatadriven, OtherEncodingsAreNamed) {
  const std::string text = Read(BANK_SOURCE_DIR "/input/three_branches.json");
  for (const size_t bytes : {2, 4}) {
    for (const bool big : {false, true}) {
      for (const bool mark : {false, true}) {
        std::string wide;
        const auto add = [&](unsigned character) {
          for (size_t i = 0; i < bytes; ++i) {
            const size_t byte = big ? bytes - 1 - i : i;
            wide += byte < 2 ? static_cast<char>(character >> (8 * byte)) : '\0';
          }
        };
        if (mark) add(0xfeff);
        for (const char c : text) add(static_cast<unsigned char>(c));
        const absl::Status status = ParseScript("in.json", wide).status();
        EXPECT_EQ(status.message(), bytes == 2 ? "in.json: its text is UTF-16; save it as UTF-8"
                                               : "in.json: its text is UTF-32; save it as UTF-8");
      }
    }
  }
  EXPECT_TRUE(ParseScript("in.json", "\xEF\xBB\xBF" + text).ok());
}

TEST(ScriptDatadriven, FilesUnderInput) {
  for (const char* folder : {"input", "input/forms"}) {
    for (const auto& item : fs::directory_iterator(fs::path(BANK_SOURCE_DIR) / folder)) {
      if (item.path().extension() != ".json") continue;
      EXPECT_TRUE(ParseScript("f", Read(item.path())).ok()) << item.path();
    }
  }
  size_t malformed = 0;
  for (const auto& item : fs::directory_iterator(BANK_SOURCE_DIR "/input/malformed")) {
    const std::string name = item.path().filename();
    absl::StatusOr<Script> script = ParseScript(name, Read(item.path()));
    ASSERT_FALSE(script.ok()) << name;
    const std::string message(script.status().message());
    EXPECT_EQ(message.rfind(name + ": ", 0), 0U) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    ++malformed;
  }
  EXPECT_GE(malformed, 12U);
}

}  // namespace
}  // namespace bank::script
