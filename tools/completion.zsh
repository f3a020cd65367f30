#compdef millrace
# SPDX-License-Identifier: Apache-2.0
# Completion of the millrace command for zsh: the command itself knows what may stand next.
_millrace()
{
	local -a found more
	local line

	while IFS= read -r line; do
		if [[ $line = @file ]]; then
			_files
		elif [[ $line = */ ]]; then
			more+=("$line") # a path goes on behind a slash
		else
			found+=("$line")
		fi
	done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
	compadd -a found
	compadd -S '' -a more
}
_millrace "$@"
