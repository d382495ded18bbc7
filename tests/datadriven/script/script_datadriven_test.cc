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

#include "course/project.h"
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

// The project's name, or why it cannot be told.
std::string ProjectOf(const std::string& text) {
  const absl::StatusOr<Script> script = ParseScript("in.json", text);
  if (!script.ok()) return std::string(script.status().message());
  const absl::StatusOr<Project> project = RecognizeProject("in.json", *script);
  return project.ok() ? std::string(ProjectName(*project))
                      : std::string(project.status().message());
}

TEST(ScriptDatadriven, TheProjectIsToldByTheForm) {
  const std::string branches =
      R"({"id":1,"type":"branch","balance":4},{"id":2,"type":"branch","balance":4}])";
  const auto of = [&](const std::string& list, const std::string& events) {
    return ProjectOf(R"([{"id":1,"type":"customer",")" + list + R"(":[)" + events + "]}," +
                     branches);
  };
  const std::string query = R"({"interface":"query"})";
  const std::string deposit = R"({"interface":"deposit","money":1})";
  const std::string at_branch = R"({"interface":"query","branch":2})";
  const std::string at_dest = R"({"interface":"query","dest":2})";
  EXPECT_EQ(of("events", query), "project 1 (one replicated balance)");
  EXPECT_EQ(of("events", ""), "project 1 (one replicated balance)");
  EXPECT_EQ(ProjectOf("[" + branches), "project 1 (one replicated balance)");
  EXPECT_EQ(of("customer-requests", deposit), "project 2 (logical clocks)");
  EXPECT_EQ(of("Customer_Requests", deposit), "project 2 (logical clocks)");
  EXPECT_EQ(of("events", at_branch), "project 3 (client-centric consistency)");
  EXPECT_EQ(of("events", at_dest), "project 3 (client-centric consistency)");
  EXPECT_EQ(of("events", query + "," + at_branch), "project 3 (client-centric consistency)");
  EXPECT_EQ(
      of("customer-requests", deposit + "," + query),
      "in.json: its form fits no project: it has \"customer-requests\" as in project 2, whose "
      "requests are deposits and withdrawals alone, and element 1 (customer 1), event 2 is a "
      "query; say which project it is (--project)");
  EXPECT_EQ(
      of("customer-requests", R"({"interface":"deposit","money":1,"branch":2})"),
      "in.json: its form fits two projects: it has \"customer-requests\" as in project 2, and "
      "element 1 (customer 1), event 1 names a branch as in project 3; say which project it is "
      "(--project)");
  EXPECT_EQ(
      ProjectOf(R"([{"id":1,"type":"customer","events":[)" + deposit +
                R"(]},{"id":2,"type":"customer","customer-requests":[)" + deposit + "]}," +
                branches),
      "in.json: its form fits two projects: element 2 (customer 2) has \"customer-requests\" as "
      "in project 2, element 1 (customer 1) has \"events\" as in projects 1 and 3; say which "
      "project it is (--project)");
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
    const absl::StatusOr<Script> script = ParseScript(name, Read(item.path()));
    const absl::Status refusal =
        script.ok() ? RecognizeProject(name, *script).status() : script.status();
    ASSERT_FALSE(refusal.ok()) << name;
    const std::string message(refusal.message());
    EXPECT_EQ(message.rfind(name + ": ", 0), 0U) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    ++malformed;
  }
  EXPECT_GE(malformed, 17U);
}

}  // namespace
}  // namespace bank::script
