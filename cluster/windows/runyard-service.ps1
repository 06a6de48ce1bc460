<#
.SYNOPSIS
Runs the runyard server whenever you are logged on, with nothing but Windows' own Task Scheduler.

.DESCRIPTION
Install registers a scheduled task that starts at your logon, and starts it now. It needs no administrator.
Remove takes it out again. Serve is what the task calls: it keeps the server up until "runyard down".

Stop the server with "runyard down", not by ending the task: then no run can be touched. Each run's supervisor leaves
the Job Object that the Task Scheduler keeps for the task, where that Job lets processes leave; where it does not,
ending the task ends the runs, too.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File runyard-service.ps1 Install -Program C:\tools\venv\Scripts\runyard.exe
#>
param(
    [Parameter(Mandatory = $true, Position = 0)]
    [ValidateSet('Install', 'Remove', 'Serve')]
    [string] $Action,

    # Where "pipx install" and "uv tool install" put it. For a virtual environment, name its Scripts\runyard.exe.
    [string] $Program = (Join-Path $env:USERPROFILE '.local\bin\runyard.exe')
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$TaskName = 'runyard'

function Install-Server {
    if (-not (Test-Path -LiteralPath $Program -PathType Leaf)) {
        throw "there is no program $Program; name it with -Program"
    }
    $file = (Resolve-Path -LiteralPath $Program).Path
    $words = "-NoProfile -NonInteractive -WindowStyle Hidden -ExecutionPolicy Bypass " +
        "-File `"$PSCommandPath`" Serve -Program `"$file`""
    $user = [Security.Principal.WindowsIdentity]::GetCurrent().Name
    $task = @{
        TaskName  = $TaskName
        Action    = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument $words
        Trigger   = New-ScheduledTaskTrigger -AtLogOn -User $user
        Principal = New-ScheduledTaskPrincipal -UserId $user -LogonType Interactive -RunLevel Limited
        Settings  = Get-TaskSettings
    }
    Register-ScheduledTask @task -Force | Out-Null
    Start-ScheduledTask -TaskName $TaskName
}

function Get-TaskSettings {
    # Tasks end after three days, on battery and at a priority below normal, unless told otherwise; runs would inherit
    # the priority. The restart is for a task that did not come up at all: what the server exits with, the Task
    # Scheduler takes for success, so Serve looks after that.
    $settings = @{
        ExecutionTimeLimit         = [TimeSpan]::Zero
        AllowStartIfOnBatteries    = $true
        DontStopIfGoingOnBatteries = $true
        StartWhenAvailable         = $true
        MultipleInstances          = 'IgnoreNew'
        Priority                   = 5
        RestartCount               = 255
        RestartInterval            = New-TimeSpan -Minutes 1
    }
    New-ScheduledTaskSettingsSet @settings
}

function Remove-Server {
    # It leaves by itself first, so that nothing is left in the task to be ended.
    & $Program down
    Unregister-ScheduledTask -TaskName $TaskName -Confirm:$false
}

function Start-Server {
    # 0: it was told to leave. 2: wrong settings, which are wrong the next time, too.
    do {
        & $Program up
        $code = $LASTEXITCODE
        if ($code -notin 0, 2) { Start-Sleep -Seconds 5 }
    } until ($code -in 0, 2)
    exit $code
}

switch ($Action) {
    'Install' { Install-Server }
    'Remove' { Remove-Server }
    'Serve' { Start-Server }
}
