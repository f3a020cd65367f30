# SPDX-License-Identifier: Apache-2.0
# Completion of the millrace command for bash: the command itself knows what may stand next.
_millrace()
{
	local line=${COMP_LINE:0:COMP_POINT} word cut=
	local -a words

	read -ra words <<< "$line"
	[[ $line == *[[:blank:]] ]] && words+=("")
	# Between quotes, blanks part no words: bash has done that, but for : and =.
	[[ $line == *[\'\"\\]* ]] && words=("${COMP_WORDS[@]:0:COMP_CWORD+1}")
	word=${words[-1]}
	[[ $word == *[:=]* ]] && cut=${word%"${word##*[:=]}"}

	COMPREPLY=()
	while IFS= read -r line; do
		if [ "$line" = @file ]; then
			compopt -o filenames
			while IFS= read -r line; do
				COMPREPLY+=("$line")
			done < <(compgen -f -- "$word")
		else
			# Readline takes what follows the last : or = for the word.
			COMPREPLY+=("${line#"$cut"}")
			# A path goes on behind a slash.
			[[ $line == */ ]] && compopt -o nospace
		fi
	done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _millrace millrace
