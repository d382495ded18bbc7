// customer check INPUT: says whether an input of the exercise is acceptable, and what is in it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "common/exit_code.h"
#include "common/output_file.h"
#include "common/whole_file.h"
#include "course/project.h"
#include "course/script.h"
#include "customer/commands/commands.h"

namespace bank::customer {
namespace {

class Check final : public Command {
 public:
  explicit Check(FlagSet& program)
      : Command(program, "check", "say whether an input is acceptable, without a bank") {
    flags_.Add("INPUT", input_, "an input of the exercise").Required();
    flags_.Add("--project", project_, "1, 2 or 3; else what the input's form says").Between(1, 3);
    output_given_ =
        flags_.Add("--output", output_, "and whether answers could be written there; nothing is")
            .OfOneCall();
    AddFormatFlag(flags_, json_);
  }

  int Run() override {
    auto text = ReadWholeFile(input_);
    if (!text.ok()) return Complain(kExitBadInput, std::string(text.status().message()));
    auto script = script::ParseScript(input_, *text);
    if (!script.ok()) return Complain(kExitBadInput, std::string(script.status().message()));
    absl::StatusOr<script::Project> project =
        project_ != 0 ? absl::StatusOr<script::Project>(static_cast<script::Project>(project_))
                      : script::RecognizeProject(input_, *script);
    if (!project.ok()) return Complain(kExitBadInput, std::string(project.status().message()));
    if (const absl::Status fits = script::CheckProject(input_, *script, *project); !fits.ok()) {
      return Complain(kExitBadInput, std::string(fits.message()));
    }
    if (output_given_.given()) {
      const absl::Status place = CheckOutput(output_, {input_});
      if (!place.ok()) {
        return Complain(kExitUsage, fmt::format("--output: {}", std::string(place.message())));
      }
    }
    std::vector<uint64_t> branches;
    for (BranchId branch : script->branches) branches.push_back(branch.value);
    size_t operations = 0;
    for (const script::Entry& entry : script->entries) operations += entry.operations.size();
    if (json_) {
      const nlohmann::ordered_json shape = {{"project", static_cast<int>(*project)},
                                            {"project_name", script::ProjectName(*project)},
                                            {"branches", branches},
                                            {"balance", script->balance},
                                            {"entries", script->entries.size()},
                                            {"operations", operations}};
      std::cout << shape.dump() << "\n";
    } else {
      fmt::print("{}\nbranches {}\nbalance {}\ncustomer entries {}\noperations {}\n",
                 script::ProjectName(*project), fmt::join(branches, " "), script->balance,
                 script->entries.size(), operations);
    }
    return kExitOk;
  }

 private:
  std::string input_;
  int project_ = 0;  // 0: not given
  std::string output_;
  Flag output_given_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeCheck(FlagSet& program) { return std::make_unique<Check>(program); }

}  // namespace bank::customer
