<?php
// Stands for the autoloader that Composer would write for php-amqplib's suite.
spl_autoload_register(function ($class) {
    $roots = [
        'PhpAmqpLib\\Tests\\Functional\\' => 'tests/Functional/',
        'PhpAmqpLib\\Tests\\Unit\\' => 'tests/Unit/',
        'PhpAmqpLib\\' => 'PhpAmqpLib/',
        'phpseclib3\\' => '/usr/share/php/phpseclib3/',
        'ParagonIE\\ConstantTime\\' => '/usr/share/php/ParagonIE/ConstantTime/',
    ];
    foreach ($roots as $prefix => $folder) {
        if (strncmp($class, $prefix, strlen($prefix)) === 0) {
            $file = ($folder[0] === '/' ? '' : __DIR__ . '/../') . $folder . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
            if (is_file($file)) {
                require $file;
            }
            return;
        }
    }
});
