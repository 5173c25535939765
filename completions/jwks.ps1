# Completion of jwks for PowerShell, printed by `jwks completion powershell`.

Register-ArgumentCompleter -Native -CommandName jwks -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # The words in front of the cursor, without their quotes; nothing in them is evaluated.
    $before = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value }
            else { $_.Extent.Text }
        })
    $current = $wordToComplete -replace '^[''"]', '' -replace '[''"]$', ''
    # Older versions drop an empty argument.
    if ($current -eq '' -and "$PSNativeCommandArgumentPassing" -in '', 'Legacy') { $current = '""' }
    $jwks = Get-Command -Name jwks -CommandType Application -ErrorAction SilentlyContinue |
        Select-Object -First 1
    if (-not $jwks) { return }
    $answer = @(& $jwks __complete powershell @before $current 2>$null)

    $answer | Select-Object -Skip 1 | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        $text = $value
        if ($value -notmatch '^(--?[\w-]+(=[\w-]+)?|[\w/][\w./:=+-]*)$') {
            $text = "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($value) + "'"
        }
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $help)
    }

    $kind, $prefix = "$($answer[0])" -split "`t", 2
    if ($kind -ne 'words' -and -not $prefix) {
        [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
    }
}
